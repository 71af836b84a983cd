"""Waiting input of a client is bounded, also if other plugins pause and resume its connection."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from corepool import Connection, hookimpl
from corepool.streams import BlockingOptions, BlockingProtocol, BlockingStream, Stream, StreamProtocol
from corepool_hosting.asyncio_protocols import AsyncioOptions, AsyncioProtocols

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.conversation import Conversations

HOSTED = """
import asyncio

class Pausing(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        assert self.transport.is_reading(), "it was paused"
        self.transport.pause_reading()
"""


class Pace:
    """An extension that slows clients down."""

    @hookimpl
    def on_accept(self, conn: Connection[object]) -> None:
        self.conn = conn

    @hookimpl
    def on_readable(self, conn: Connection[object]) -> None:
        conn.pause()


class Slow(StreamProtocol):
    input_limit = 10

    async def handle(self, stream: Stream) -> None:  # noqa: ARG002
        await asyncio.Event().wait()


class SlowThread(BlockingProtocol):
    input_limit = 10

    def __init__(self) -> None:
        super().__init__(BlockingOptions())
        self.may_end = threading.Event()

    def handle(self, stream: BlockingStream) -> None:  # noqa: ARG002
        self.may_end.wait(60)


def hosted(directory: Path) -> AsyncioProtocols:
    (directory / "bounded_pausing.py").write_text(HOSTED)
    return AsyncioProtocols(AsyncioOptions(target="bounded_pausing:Pausing", directory=str(directory)))


@pytest.mark.parametrize("make", [lambda _: Slow(), lambda _: SlowThread(), hosted])
def test_an_extension_that_resumes_does_not_lift_the_bound(
    connection: Conversations, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    protocol, pace = make(tmp_path), Pace()
    client = connection(protocol, extensions=[pace])
    client.send(b"x" * 1_000_000)
    left = client.unread
    assert left >= 1_000_000 - 256 * 1024

    for _ in range(10):
        pace.conn.resume()
        client.send(b"x")

    assert client.unread == left + 10
    if isinstance(protocol, SlowThread):
        protocol.may_end.set()
