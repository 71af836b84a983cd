"""The base class of connections, which compiled modules of plugins may cimport.

Through `corepool.Connection`, a Protocol, a call goes by name. Where both sides are machine code, a function that types
its argument as this class calls the method itself, and reads the field. The members mean what `corepool.Connection`
says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from corepool.spec.types import CloseReason


class ConnectionBase:
    """The part of a connection that the hot path of a protocol uses."""

    __slots__ = ("busy", "eof", "half_open", "pinned", "reason", "session")

    session: object
    half_open: bool
    busy: bool
    pinned: bool
    eof: bool
    reason: CloseReason | None
    """Why it ends; None while it is open: then `closed` is False."""

    def recv(self, limit: int = 65536) -> bytes:
        raise NotImplementedError

    def send(self, data: ReadableBuffer) -> None:
        raise NotImplementedError

    def send_now(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
