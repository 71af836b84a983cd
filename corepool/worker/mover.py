"""Handing connections back to the master, which sends them to another worker: they stay open."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import TYPE_CHECKING

from corepool.hot.leaving import depart
from corepool.ipc.scoreboard import Cell
from corepool.ipc.shapes import MAX_FDS, SocketIndex, fit
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corepool.hot.connection import Connection
    from corepool.ipc.scoreboard import Row
    from corepool.worker.intake import Intake
    from corepool.worker.service import Service

log = logging.getLogger(__name__)

MAX_PER_MOVE = 32
"""Connections handed back in one go: the others have their turn in between. While 10,000 move, with all processes on
one core, the slowest answer to others takes 10 to 16 ms with 32 at once, 17 to 24 with 64, and 50 with 256; the whole
move takes 0.8, 0.6 and 0.4 s (benchmarks/cases/move.py)."""


_MAX_IN_TRANSIT = 128
"""Connections that the master has not received yet. When it is short of descriptors it leaves them in the channel; from
a worker that has ended it would have to take all at once, and the kernel drops what does not fit."""


class Mover:
    """Moves idle connections."""

    def __init__(self, intake: Intake, services: Mapping[SocketIndex, Service], row: Row) -> None:
        self._intake = intake
        self._services = services
        self._cells = row.cells
        self._handed_back = 0
        self._rate_limited = RateLimitedLog(log)

    @property
    def on_their_way(self) -> int:
        """How many the master has not received yet."""
        return self._handed_back - self._cells[Cell.TAKEN_BACK]

    def move(self, connections: Iterable[Connection], most: int = MAX_PER_MOVE) -> tuple[int, bool]:
        """Hand back as many of these as can go now, and `most` at the most.

        :returns: how many went; and whether others could have gone as well, had there been room or time.
        """
        moved = 0
        most = min(most, _MAX_IN_TRANSIT - self.on_their_way)
        if most <= 0:
            return 0, True
        able = sorted((conn for conn in connections if conn.can_move and conn.is_idle), key=_socket)
        for _, group in groupby(able, key=_socket):
            count, is_over = self._move_of_socket(group, most - moved)
            moved += count
            if is_over:
                return moved, True
        return moved, False

    def _move_of_socket(self, connections: Iterable[Connection], most: int) -> tuple[int, bool]:
        batch: list[Connection] = []
        records: list[bytes] = []
        moved = 0
        for conn in connections:
            is_over = moved + len(batch) == most
            record = b"" if is_over else self._record(conn)
            if record is None:
                continue
            if is_over or len(batch) == MAX_FDS or not fit(records, len(record)):
                if not self._send(batch, records):
                    return moved, True
                moved += len(batch)
                batch, records = [], []
                if is_over:
                    return moved, True
            batch.append(conn)
            records.append(record)
        if not self._send(batch, records):
            return moved, True
        return moved + len(batch), False

    def _record(self, conn: Connection) -> bytes | None:
        frozen = self._services[_socket(conn)].moving.freeze(conn)
        if frozen is None:
            return None
        try:
            return frozen.encode()
        except ValueError as error:  # a worker that drains asks again and again
            events.connection_not_moved(self._rate_limited, conn=conn.id, reason=error)
            return None

    def _send(self, batch: list[Connection], records: list[bytes]) -> bool:
        """Send a batch. Nothing is polled or read between the freezing of a connection and its departure."""
        if batch and not self._intake.hand_back(_socket(batch[0]), records, [conn.fileno() for conn in batch]):
            return False
        self._handed_back += len(batch)
        for conn in batch:
            depart(conn)
        return True


def _socket(conn: Connection) -> SocketIndex:
    return SocketIndex(conn.site.index)
