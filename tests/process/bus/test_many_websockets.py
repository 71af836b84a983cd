"""A thousand WebSockets in four workers get what any of them says."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sources import source

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS, WORKERS, BROADCASTS = 1000, 4, 100
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PATIENCE_S = 500
"""Below the time-out of a test."""


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Client:
    """RFC 6455 by hand, for short texts: a thousand of a library's would be most of the test's time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return cls(reader, writer)

    def say(self, text: bytes) -> None:
        self._writer.write(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)

    async def heard(self, count: int) -> list[bytes]:
        texts = []
        for _ in range(count):
            opcode, length = await self._reader.readexactly(2)
            assert opcode == 0x81
            texts.append(await self._reader.readexactly(length))
        return texts

    async def end(self) -> bytes:
        """Close; return everything that comes before the server's close frame."""
        self._writer.write(bytes([0x88, 0x80, 0, 0, 0, 0]))
        left = await self._reader.read()
        self._writer.close()
        return left


async def broadcast(running: PoolProcess) -> list[list[bytes]]:
    """Connect all, have one of each worker say its part at the same time, and return what each has heard."""
    port = int(running.urls()[0].rpartition(":")[2])
    async with asyncio.timeout(PATIENCE_S):
        clients = []
        for _ in range(CLIENTS // 50):  # fewer at a time than the backlog holds
            clients += await asyncio.gather(*(Client.connect(port) for _ in range(50)))
        wait_until(lambda: {worker["connections"] for worker in running.status()["workers"]} == {CLIENTS // WORKERS})
        for number in range(BROADCASTS):
            speaker = number % WORKERS  # round-robin: each in another worker
            clients[speaker].say(b"%d %d" % (speaker, number))
        heard = await asyncio.gather(*(client.heard(BROADCASTS) for client in clients))
        left = await asyncio.gather(*(client.end() for client in clients))
    assert {text[:1] for text in left} == {b"\x88"}, "a close frame, and nothing before it"
    return heard


@pytest.mark.usefixtures("_many_descriptors")
def test_each_of_a_thousand_websockets_hears_each_of_a_hundred_broadcasts(pool: Pools) -> None:
    running = pool.serve(
        "http",
        "broadcasting:app",
        "-b",
        "tcp://127.0.0.1:0",
        "-w",
        str(WORKERS),
        "-d",
        "round-robin",
        files={"broadcasting.py": source("served/broadcasting.py")},
    )

    everything = Counter(b"%d %d" % (number % WORKERS, number) for number in range(BROADCASTS))
    for texts in asyncio.run(broadcast(running)):
        assert Counter(texts) == everything
        for speaker in b"0123":
            numbers = [int(text[2:]) for text in texts if text[0] == speaker]
            assert numbers == sorted(numbers)

    def totals() -> tuple[int, int, int]:
        total = running.status()["totals"]
        return total["bus_published"], total["bus_delivered"], total["bus_lost"]

    wait_until(lambda: totals() == (BROADCASTS, BROADCASTS * CLIENTS, 0))
