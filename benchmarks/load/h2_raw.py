"""A client of HTTP/2 that costs little: frames as bytes, no header of an answer is read.

A library of Python takes longer for 200 MB than the servers that are measured with it.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

Frame: TypeAlias = tuple[int, int, int, int]
"""Type, flags, stream, size of the payload."""

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
MAX_WINDOW = (1 << 31) - 1
FIRST_WINDOW = 65_535
FRAME_BYTES = 16_384
_INITIAL_WINDOW_SIZE = 4
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = struct.Struct("!I B I")
_HOST = b"localhost"
_RECEIVED = 1 << 18


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame (RFC 9113, 4.1)."""
    return _HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def request(stream: int, target: str, *, posts: bool = False) -> bytes:
    """Return the frame of a request, whose header section uses no dynamic table (RFC 7541, 6.1 and 6.2.2)."""
    path = target.encode()
    method, scheme = (b"\x83" if posts else b"\x82"), b"\x86"
    block = b"%b%b\x04%c%b\x01%c%b" % (method, scheme, len(path), path, len(_HOST), _HOST)
    return frame(HEADERS, END_HEADERS if posts else END_HEADERS | END_STREAM, stream, block)


class RawClient:
    """One connection. Its windows are opened as DATA comes, at half of their size."""

    def __init__(self, port: int, window: int = FIRST_WINDOW) -> None:
        """Connect and send the preface.

        :param window: of a stream; that of the connection is as large as can be.
        """
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.room = FIRST_WINDOW
        """Bytes of DATA that the server's window for the connection has room for."""
        self.first_room = FIRST_WINDOW
        """The same of a new stream."""
        self._window = window
        self._unread = bytearray()
        self._owed: dict[int, int] = {}
        settings = struct.pack("!HI", _INITIAL_WINDOW_SIZE, window)
        more = struct.pack("!I", MAX_WINDOW - FIRST_WINDOW)
        self.socket.sendall(_PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, more))

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def receive(self, meet: Callable[[Frame], object]) -> None:
        """Receive once, and answer by window updates and acknowledgements.

        :param meet: called with each whole frame. The size of a WINDOW_UPDATE is the increment.
        :raises BenchError: the server ended the connection, or a stream.
        """
        data = self.socket.recv(_RECEIVED)
        if not data:
            raise BenchError("the server closed the connection")
        unread = self._unread
        unread += data
        at, size, answers = 0, len(unread), bytearray()
        while size - at >= 9:
            packed, flags, stream = _HEAD.unpack_from(unread, at)
            length, kind = packed >> 8, packed & 0xFF
            end = at + 9 + length
            if end > size:
                break
            if kind == DATA:
                self._take(stream, length, answers, ended=bool(flags & END_STREAM))
            elif kind == WINDOW_UPDATE:
                length = int.from_bytes(unread[at + 9 : end])
                self.room += 0 if stream else length
            elif kind == SETTINGS and not flags & ACK:
                self._learn(bytes(unread[at + 9 : end]))
                answers += frame(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                answers += frame(PING, ACK, 0, bytes(unread[at + 9 : end]))
            elif kind in {RST_STREAM, GOAWAY}:
                raise BenchError(f"the server ended stream {stream} by {bytes(unread[at:end])!r}")
            meet((kind, flags, stream, length))
            at = end
        del unread[:at]
        if answers:
            self.socket.sendall(answers)

    def _learn(self, settings: bytes) -> None:
        for name, value in struct.iter_unpack("!HI", settings):
            if name == _INITIAL_WINDOW_SIZE:
                self.first_room = value

    def _take(self, stream: int, size: int, answers: bytearray, *, ended: bool) -> None:
        for number in (0,) if ended else (0, stream):
            owed = self._owed.get(number, 0) + size
            if owed * 2 >= (self._window if number else MAX_WINDOW):
                answers += frame(WINDOW_UPDATE, 0, number, struct.pack("!I", owed))
                owed = 0
            self._owed[number] = owed
        if ended:
            self._owed.pop(stream, None)
