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
