"""How connections end for those who read and write, and whose fault it is when that was not expected."""

from __future__ import annotations

from asyncio import IncompleteReadError

from corepool.spec.types import CloseReason
from corepool.streams.inbox import TooLongError

IS_END = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.TIMEOUT})
"""Ends after which a read finds the end of the stream; after the others it raises ConnectionResetError."""

LAST_WORDS_S = 0.5
"""How long handlers whose connections have ended may still clean up when the worker ends: below the second that the
master leaves a worker for its end."""


class DeadlineError(TimeoutError):
    """A bound that a handler has set itself has passed: `stream.deadline`, `stream.settimeout`."""


def is_the_peers_doing(error: BaseException, *, is_over: bool) -> bool:
    """Tell whether what a handler raised shows a peer that is gone, slow or wrong, and no mistake of its author.

    The database that a handler speaks to raises the same ConnectionError and TimeoutError as its client: so it matters
    whether that client is gone.

    :param is_over: the connection has ended, or the peer's side of it.
    """
    if isinstance(error, DeadlineError | TooLongError):
        return True
    return is_over and isinstance(error, ConnectionError | TimeoutError | IncompleteReadError)
