"""Replies of RESP2 and RESP3 with their types, and a client that returns them so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from kv_client import encode

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

Tagged: TypeAlias = "tuple[str, Any]"
"""The first byte of a reply; its text, or the list of its parts."""

_AGGREGATES = {"*": 1, "~": 1, ">": 1, "%": 2}
_BULKS = "$=!"


class TaggedClient:
    """Sends commands and returns replies with their types."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def __call__(self, *words: object) -> Tagged:
        self._sock.sendall(encode(words))
        return self.receive()

    def send_all(self, commands: Iterable[tuple[object, ...]]) -> None:
        """Send a pipeline."""
        self._sock.sendall(b"".join(map(encode, commands)))

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._sock.close()

    def receive(self) -> Tagged:
        """Read the next reply."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        tag, text = line[:1].decode(), line[1:-2]
        if tag in _BULKS and text != b"-1":
            return tag, self._file.read(int(text) + 2)[:-2]
        if tag in _AGGREGATES and text != b"-1":
            return tag, [self.receive() for _ in range(int(text) * _AGGREGATES[tag])]
        return tag, text


def in_order(reply: Tagged, width: int = 1) -> Tagged:
    """Sort the parts of a reply that has none.

    :param width: the number of parts that belong together.
    """
    tag, parts = reply
    if not isinstance(parts, list):
        return reply
    if tag == "%":
        width = 2
    if parts and isinstance(parts[0][1], list):
        width = 1
    groups = sorted(tuple(parts[at : at + width]) for at in range(0, len(parts), width))
    return tag, [part for group in groups for part in group]


def shape(reply: Tagged) -> Tagged:
    """Return the types of a reply and of its parts, and their number."""
    tag, parts = reply
    if tag in "-:":
        return reply
    return tag, [shape(part)[0] for part in parts] if isinstance(parts, list) else parts is None
