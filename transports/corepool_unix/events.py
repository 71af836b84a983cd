"""Events of UNIX sockets."""

from __future__ import annotations

import logging

from corepool import event


@event(logging.WARNING)
def socket_mode_kept(*, path: object, reason: str | None) -> None:
    """The mode of a socket file can't be changed; it stays the one that the file has."""
