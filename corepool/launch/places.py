"""The numbers of listeners and sockets, which they keep over reloads."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool.ipc.scoreboard import ListenerPlace
from corepool.ipc.shapes import SocketIndex
from corepool.plugins.listener import MAX_LISTENERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Places:
    """Numbers that listeners and sockets keep over reloads: workers of two configurations use them side by side."""

    def __init__(self, told: Mapping[str, ListenerPlace] | None = None) -> None:
        """Begin with those that the master before this one has told of, at an upgrade."""
        self._cells: dict[str, ListenerPlace] = dict(told or {})
        self._sockets = itertools.count()

    def of_listeners(self, names: Sequence[str]) -> dict[str, ListenerPlace]:
        """Return for each listener its place on the scoreboard: the one it had, or one that no other has.

        When none is left, the place of a listener that is gone is used again, with its counts. Nothing is taken yet: a
        plan with mistakes takes no place of a listener that goes on.
        """
        cells = dict(self._cells)
        for name in names:
            if name in cells:
                continue
            if len(cells) == MAX_LISTENERS:
                gone = next(each for each in cells if each not in names)
                cells[name] = cells.pop(gone)
            else:
                cells[name] = ListenerPlace(len(cells))
        return {name: cells[name] for name in names}

    def taken(self) -> Mapping[str, ListenerPlace]:
        """Return the places of listeners, also of those that are gone, by name."""
        return self._cells

    def take(self, cells: Mapping[str, ListenerPlace]) -> None:
        """Take the places of listeners that `of_listeners` has found."""
        others = {name: place for name, place in self._cells.items() if place not in cells.values()}
        self._cells = {**others, **cells}

    def next_socket(self) -> SocketIndex:
        """Number a socket; a message has 16 bits for it."""
        return SocketIndex(next(self._sockets) % 65_536)
