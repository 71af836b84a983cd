"""What streams raise: the errors of asyncio and of sockets, marked as a peer's doing.

The mark tells them from those of a handler's own peers: a database raises the same ConnectionError, TimeoutError and
IncompleteReadError as its client.
"""

from __future__ import annotations

from asyncio import IncompleteReadError, LimitOverrunError


class PeersDoing:
    """What ends a connection quietly: a peer that is gone, slow or wrong, and no mistake of the handler's author."""


class TooLongError(LimitOverrunError, ValueError, PeersDoing):
    """A peer's line, or what it has sent before a separator, is longer than the limit.

    Both of what asyncio.StreamReader raises: ValueError by readline, LimitOverrunError by readuntil.
    """


class EndedError(IncompleteReadError, PeersDoing):
    """The end came before all that was asked for."""


class GoneError(ConnectionResetError, PeersDoing):
    """There is nothing to read any more, and it was not the peer's end."""


class BrokenError(BrokenPipeError, PeersDoing):
    """Nothing can be sent any more."""


class DeadlineError(TimeoutError, PeersDoing):
    """A bound that a handler has set itself has passed: `stream.deadline`, `stream.settimeout`."""


def is_the_peers_doing(error: BaseException) -> bool:
    """Tell whether what a handler raised, or each part of it, shows nothing but a peer's doing."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_the_peers_doing(part) for part in error.exceptions)
    return isinstance(error, PeersDoing)
