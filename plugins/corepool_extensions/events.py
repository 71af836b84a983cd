"""Events of the extensions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool import event

if TYPE_CHECKING:
    from collections.abc import Mapping


@event(logging.WARNING)
def connections_refused(
    *, listener: str, extension: str, reasons: Mapping[str, int], total: int, last_peer: str
) -> None:
    """An extension has closed connections: how many for each reason since the last such record, and in all."""


@event(logging.WARNING)
def limits_not_known(*, listener: str, reason: object) -> None:
    """The table of clients can't be read, since a worker is stopped in the middle of a change: a client is let in.

    By SIGSTOP, say, or a debugger. The master kills such a worker after `heartbeat_timeout`.
    """
