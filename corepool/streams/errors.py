"""The errors of streams: those of asyncio and of sockets, marked as a peer's doing.

The mark tells them from errors of servers that the handler itself talks to: a database connection raises the same
ConnectionError, TimeoutError and IncompleteReadError as the client's.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, LimitOverrunError
from typing import cast


class PeersDoing:
    """Ends a connection quietly: a peer that is gone, slow or wrong, not a mistake of the handler's author."""


class TooLongError(LimitOverrunError, ValueError, PeersDoing):
    """A peer's line, or its input before a separator, is longer than the limit.

    It is both errors that asyncio.StreamReader raises: ValueError in readline, LimitOverrunError in readuntil.
    """


class EndedError(IncompleteReadError, PeersDoing):
    """The end came before all that was asked for."""


class GoneError(ConnectionResetError, PeersDoing):
    """Nothing more can be read, though the peer has not ended its side."""


class BrokenError(BrokenPipeError, PeersDoing):
    """Nothing can be sent any more."""


class DeadlineError(TimeoutError, PeersDoing):
    """A time limit that the handler has set has passed: `stream.deadline`, `stream.settimeout`."""


def is_the_peers_doing(error: BaseException) -> bool:
    """Return whether the exception of a handler, or each one in its group, is caused by the peer alone."""
    kind = type(error)  # isinstance would ask for `__class__`, which may raise in turn
    if issubclass(kind, BaseExceptionGroup):
        return all(map(is_the_peers_doing, cast("BaseExceptionGroup[BaseException]", error).exceptions))
    return issubclass(kind, PeersDoing)
