"""The memory that a client can make a WebSocket use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import asyncio
import re
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import mirror
import pytest
from http_client import APPLICATIONS, request
from mirror_client import let_go, run_out

from corepool.spec.types import CloseReason, TimeoutKind
from corepool.testing.waiting import wait_until
from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
SEGMENTS = 5 * 65_536  # what one event may read, and a little
MEGABYTE = 1_000_000
HIGH_WATER = 262_144
WISH = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version: 13",
)


@pytest.fixture(autouse=True)
def _go() -> None:
    mirror.Handshakes.go = asyncio.Event()


def serve(connection: Conversations, path: str = "/", *lines: str, **options: object) -> Conversation:
    settings = {"target": "mirror:asgi", "directory": str(APPLICATIONS), "ping_interval": 0, **options}
    client = connection(Http(HttpOptions.model_validate(settings)))
    client.send(request(path, *WISH, *lines, close=False))
    return client


def frame(opcode: int, data: bytes, first: int = 0x80) -> bytes:
    """Return a frame of a client, masked with zeros."""
    if len(data) < 126:
        length = bytes([0x80 | len(data)])
    elif len(data) < 65_536:
        length = b"\xfe" + len(data).to_bytes(2)
    else:
        length = b"\xff" + len(data).to_bytes(8)
    return bytes([first | opcode]) + length + b"\0\0\0\0" + data


def test_handshake(connection: Conversations) -> None:
    client = serve(connection, "/", "A: " + "b" * 2_000, max_head=1024)
    assert client.receive().startswith(b"HTTP/1.1 431 ")
    client = connection(Http(HttpOptions(target="mirror:asgi", directory=str(APPLICATIONS), header_timeout=0.01)))
    client.send(request("/", *WISH)[:-2])
    run_out(client)
    assert client.receive().startswith(b"HTTP/1.1 408 ")


def test_before_the_application_accepts(connection: Conversations) -> None:
    messages = frame(2, b"x" * 1_000) * 1_000
    client = serve(connection, "/wait")
    client.send(messages)
    assert client.conn.paused
    assert client.unread > len(messages) - SEGMENTS
    let_go(client)
    client.send(frame(1, b"how many bytes?"))
    assert client.receive().endswith(b"\x81\x071000000")

    mirror.Handshakes.go = asyncio.Event()
    client = serve(connection, "/wait")
    client.send(messages)
    client.time_out(TimeoutKind.READ)
    assert client.reason is CloseReason.ABORTED

    for leave in ("end", "reset"):
        mirror.Handshakes.ends.clear()
        client = serve(connection, "/never")
        client.send(messages[:10_000])
        getattr(client, leave)()
        assert client.conn.closed
        client.read_on()
        assert mirror.Handshakes.ends == ["websocket.disconnect"]


@pytest.mark.parametrize(
    "data",
    [
        frame(2, b"x" * 2_000)[:20],
        frame(2, b"x" * 600, 0) + frame(0, b"x" * 600, 0),
        frame(1, b"", 0) + frame(0, b"x" * 10, 0) * 200,
    ],
)
def test_frame_or_fragments_of_a_message(connection: Conversations, data: bytes) -> None:
    client = serve(connection, max_message=1_024)
    client.receive()
    client.send(data)
    assert b"\x88" in client.receive()
    assert client.conn.closed or client.conn.busy is False
    run_out(client)


def test_messages_waiting_for_the_application(connection: Conversations) -> None:
    for messages, most in ((frame(2, b"x") * 100_000, MEGABYTE), (frame(2, b"x" * 1_000) * 1_000, 10_000)):
        mirror.Handshakes.go = asyncio.Event()
        client = serve(connection, "/slow", max_message=most)
        client.send(messages)
        assert client.conn.paused
        assert client.unread > len(messages) - SEGMENTS
        client.receive()
        mirror.Handshakes.go.set()
        client.send(frame(1, b"how many bytes?"))
        answers = []

        def is_answered(client: Conversation = client, answers: list[bytes] = answers) -> bool:
            client.read_on()
            answers.append(client.receive())
            return bool(answers[-1])

        wait_until(is_answered)
        assert answers[-1][2:] == (b"100000" if most == MEGABYTE else b"1000000")
    mirror.Handshakes.go = asyncio.Event()
    client = serve(connection, "/slow")
    client.send(messages)
    client.reset()
    assert client.reason is CloseReason.RESET


def test_packed_messages(connection: Conversations) -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = [
        (packer.compress(b"x" * 500_000) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")
        for _ in range(400)
    ]
    client = serve(connection, "/slow", "Sec-WebSocket-Extensions: permessage-deflate", max_message=MEGABYTE)
    data = b"".join(frame(2, each, 0xC0) for each in packed)
    assert len(data) > 2 * 65_536
    client.send(data)
    assert client.conn.paused
    assert client.unread
    inbox = client.conn.session.tunnel_user.inbox  # type: ignore[attr-defined]
    assert sum(len(each["bytes"]) for each, _ in list(inbox._messages)[1:]) < 6 * MEGABYTE  # noqa: SLF001


def test_pings_of_the_client(connection: Conversations) -> None:
    client = serve(connection, "/slow")
    client.stop_reading()
    client.send(frame(9, b"") * 1_000_000)
    assert client.conn.buffered < HIGH_WATER + SEGMENTS
    assert client.unread > 3 * MEGABYTE
    client.time_out(TimeoutKind.WRITE)
    assert client.reason is CloseReason.TIMEOUT


def test_output(connection: Conversations) -> None:
    client = connection(Http(HttpOptions(target="mirror:asgi", directory=str(APPLICATIONS))))
    client.stop_reading()
    client.send(request("/stream", *WISH, close=False))
    assert HIGH_WATER < client.conn.buffered < HIGH_WATER + 2 * 65_536
    client.time_out(TimeoutKind.WRITE)
    assert client.reason is CloseReason.TIMEOUT


def test_silence(connection: Conversations) -> None:
    client = serve(connection, ping_interval=0.01)

    def is_over() -> bool:
        client.read_on()
        return client.reason is not None

    wait_until(is_over)
    assert client.reason is CloseReason.ABORTED
    assert client.receive().endswith(b"\x89\0")


def test_closing(connection: Conversations) -> None:
    client = serve(connection, "/end", header_timeout=0.01)
    assert client.receive().endswith(b"\x88\x02\x03\xe8")
    data = frame(2, b"x" * 1_000) * 2_000
    client.send(data)
    client.send(data)
    assert client.unread == 0
    assert not client.conn.closed
    run_out(client)
    assert client.reason is CloseReason.ABORTED
    client = serve(connection, "/end")
    client.send(data + frame(8, b"\x03\xe8"))
    assert client.reason is CloseReason.CLOSED


def test_each_row_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## WebSockets\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]*) \| [^-]", section, re.MULTILINE)[1:]
    assert len(rows) == 9
    for row in rows:
        assert callable(getattr(sys.modules[__name__], "test_" + re.sub(r"\W+", "_", row)))
