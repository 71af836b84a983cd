"""The client's side of `framed.py`, and what both drivers of HTTP are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from framed import frame, frames
from http_client import parse

if TYPE_CHECKING:
    import socket

OF_THE_WIRE = {"connection", "transfer-encoding", "date", "content-length"}


class Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    content: bytes
    is_whole: bool


def answers(data: bytes) -> dict[int, Answer]:
    """Put the frames of each stream together."""
    assert b"HTTP/1" not in data
    by_stream: dict[int, list[dict[str, Any]]] = {}
    for each in frames(data):
        by_stream.setdefault(each["stream"], []).append(each)
    found = {}
    for number, (head, *others) in by_stream.items():
        content = "".join(each.get("content", "") for each in others).encode("latin-1")
        headers = [(name, value) for name, value in head["headers"] if name not in OF_THE_WIRE]
        found[number] = Answer(head["status"], headers, content, others[-1]["end"] == "whole")
    return found


def from_http1(data: bytes, method: str) -> Answer:
    """Read the one response of HTTP/1.1, and leave out what belongs to its wire."""
    [response] = parse(data, [method])
    fields = [(name.lower(), value) for name, value in response.headers if name.lower() not in OF_THE_WIRE]
    return Answer(response.status, fields, response.body, is_whole=True)


class FramedClient:
    """A connection to a pool that serves `Framed`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._unread = b""

    def send(self, **fields: object) -> None:
        """Send a frame of stream 1, or of another."""
        self.sock.sendall(frame(**{"stream": 1, **fields}))

    def receive_frame(self) -> bytes:
        """Receive the next frame."""
        while len(self._unread) < 4 or len(self._unread) < 4 + int.from_bytes(self._unread[:4]):
            piece = self.sock.recv(65_536)
            assert piece, "the connection has ended"
            self._unread += piece
        size = 4 + int.from_bytes(self._unread[:4])
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def answers(self, count: int = 1) -> dict[int, Answer]:
        """Receive frames until so many streams have ended."""
        data = b""
        while count:
            each = self.receive_frame()
            data += each
            count -= "end" in frames(each)[0]
        return answers(data)

    def ask(self, target: str, method: str = "GET") -> Answer:
        """Send a request without content, and receive its answer."""
        self.send(method=method, target=target, headers=[("host", "a")])
        return self.answers()[1]


SCRIPTS: list[tuple[int, list[tuple[str, str]], list[bytes], str]] = [
    (200, [("A", "b")], [b"whole"], "return"),
    (200, [("Content-Length", "6")], [b"in ", b"two"], "return"),
    (200, [], [b"in ", b"three ", b"pieces"], "return"),
    (204, [], [b"no content"], "return"),
    (304, [("ETag", '"a"')], [], "return"),
    (200, [("Content-Length", "3")], [b"longer"], "return"),
    (404, [("Connection", "close"), ("Keep-Alive", "5")], [b"nothing"], "return"),
    (101, [], [b"interim"], "return"),
    (200, [("A", "b\r\nc")], [b"broken"], "return"),
]
