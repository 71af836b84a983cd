"""A listener with three protocols on one port, served in the test's process."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from corepool import CloseReason, hookimpl
from corepool.ipc.scoreboard import COLUMNS, PER_LISTENER
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    from corepool.hot.connection import Connection


class Spoken:
    """Answers each piece with its own word before it, and notes all that happens."""

    def __init__(self, word: bytes, greeting: bytes = b"") -> None:
        self.word = word
        self.greeting = greeting
        self.told: list[str] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.told.append("accept")
        conn.session = self.word
        if self.greeting:
            conn.send(self.greeting)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        data = conn.recv()
        if data:
            conn.send(self.word + b":" + data)

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.told.append(str(reason))

    @hookimpl
    def on_freeze(self, conn: Any) -> bytes:
        return bytes(conn.session)

    @hookimpl
    def on_thaw(self, conn: Any, state: bytes) -> None:
        assert state == self.word
        conn.session = state

    @hookimpl
    def on_lost(self, conn: Any) -> None:
        conn.send(self.word + b" was lost")


class Matched(Spoken):
    """Is recognised by its word."""

    alpn: tuple[str, ...] = ()
    is_undecided = False

    def matches(self, data: bytes) -> bool | None:
        if self.is_undecided:
            return None
        if data.startswith(b"raise"):
            raise KeyError("as asked")
        return True if data.startswith(self.word) else None if self.word.startswith(data) else False


class Witness:
    """An extension that notes its hooks, and refuses if it is told to."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.told: list[str] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.told.append(f"accept {conn.protocol!r}")
        if self.refuses == "accept":
            conn.close()

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.told.append(f"readable {conn.protocol!r}")

    @hookimpl
    def on_close(self, conn: Any, reason: CloseReason) -> None:
        self.told.append(f"close {conn.protocol!r} {reason}")

    @hookimpl
    def on_freeze(self) -> bytes:
        return b"witness"

    @hookimpl
    def on_thaw(self, state: bytes) -> None:
        self.told.append(f"thaw {state!r}")


class Told:
    """Three protocols on one port, of which the last one is the default if that is wanted."""

    def __init__(
        self, *, default: bool = True, extension: Witness | None = None, alpn: tuple[str, ...] = (), **options: Any
    ) -> None:
        self._clients: list[socket.socket] = []
        self.one, self.two, self.last = Matched(b"one"), Matched(b"only"), Spoken(b"last", b"hello\n")
        self.two.alpn = alpn
        others: dict[str, object] = {"two": self.two}
        if default:
            others["last"] = self.last
            options["default"] = "last"
        self.extension = extension
        self.here = ServedHere(self.one, others=others, extensions=[] if extension is None else [extension], **options)

    def connect(self, crash_slot: int = 0) -> socket.socket:
        self._clients.append(self.here.connect(crash_slot))
        return self._clients[-1]

    def pair(self) -> tuple[int, socket.socket]:
        """Return a descriptor of another worker's connection, and its client."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._clients.append(theirs)
        return ours.detach(), theirs

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.here.close()

    def receive(self, client: socket.socket, what: bytes) -> bytes:
        found = b""

        def is_there() -> bool:
            nonlocal found
            try:
                found += client.recv(65536)
            except BlockingIOError:
                return False
            return what in found

        self.here.turn_until(is_there)
        return found

    def receive_end(self, client: socket.socket) -> bytes:
        found: list[bytes] = []

        def is_over() -> bool:
            try:
                found.append(client.recv(65536))
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True
            return not found[-1]

        self.here.turn_until(is_over)
        return b"".join(found)

    def count(self, place: int, name: str) -> int:
        self.here.counts.publish(self.here.service.counting)
        return self.here.row.of_listeners[PER_LISTENER * place + COLUMNS[name]]


def only(told: Told) -> Connection:
    (conn,) = told.here.connections()
    return conn
