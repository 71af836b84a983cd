"""How connections end for those who read and write."""

from __future__ import annotations

from corepool.spec.types import CloseReason

_IS_END = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.TIMEOUT})

CUT_BY_WORKER = frozenset({CloseReason.DRAIN, CloseReason.TIMEOUT, CloseReason.ABORTED, CloseReason.ERROR})
"""The worker has ended the connection, not the peer."""


def is_end(reason: CloseReason, *, busy: bool) -> bool:
    """Return whether reads find the end of the stream; if not, they raise ConnectionResetError.

    :param busy: something was begun: cut off by a drain that is over, it must not look complete.
    """
    return reason in _IS_END and not (busy and reason is CloseReason.DRAIN)
