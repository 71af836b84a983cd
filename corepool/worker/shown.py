"""The facts of a pool that plugins in a worker see: its listeners, and the load of its workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.ipc.scoreboard import Cell, held
from corepool.spec.types import ListenerInfo, WorkerLoad

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.ipc.scoreboard import Scoreboard
    from corepool.plugins.listener import BoundSocket


def listeners_of(bound: Iterable[BoundSocket]) -> list[ListenerInfo]:
    """Describe the listeners, each with all its addresses."""
    groups: dict[tuple[str, str], list[BoundSocket]] = {}
    for each in bound:
        groups.setdefault((each.listener.name, each.listener.protocol_names), []).append(each)
    return [
        ListenerInfo(*key, tuple(one.url for one in group), tuple(text for one in group for text in one.examples))
        for key, group in groups.items()
    ]


def loads_of(scoreboard: Scoreboard, pool: int) -> list[WorkerLoad]:
    """Read the load of the workers of one pool, by slot.

    :param pool: its number on the scoreboard.
    """
    return sorted(
        WorkerLoad(
            slot=row[Cell.SLOT],
            pid=row[Cell.PID],
            connections=held(row),
            accepted=row[Cell.ACCEPTED],
            requests=row[Cell.REQUESTS],
            lag_s=row[Cell.LAG_NS] / 1e9,
        )
        for row in scoreboard.rows()
        if row[Cell.POOL] == pool
    )
