"""The totals of a pool: what its workers have counted, those of the masters before this one included.

At an upgrade both masters have workers that count. The new one reads the scoreboard of the old one until that has
ended, and adds its counts to its own then. Nothing is taken away from the old one, so an upgrade that fails changes
nothing.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.ipc.earlier import EarlierBoard, EarlierBoards, Sums, describe
from corepool.ipc.metric_cells import Layout
from corepool.ipc.scoreboard import Scoreboard
from corepool.master import events
from corepool.plugins.listener import MAX_LISTENERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from corepool.ipc.scoreboard import ListenerPlace
    from corepool.master.shared_counts import SharedCounts
    from corepool.plugins.listener import Listener

log = logging.getLogger(__name__)


class TotalCounts:
    """Owns the memory of the scoreboard, the boards of the masters before this one, and what workers share."""

    def __init__(
        self, places: Callable[[], Mapping[str, ListenerPlace]], earlier: EarlierBoards, shared: SharedCounts
    ) -> None:
        """Make the scoreboard.

        :param places: returns those of listeners, by name, for a new master.
        """
        self.shared = shared
        self._places = places
        self._earlier = earlier
        self._fd: int | None = None
        try:
            self._fd = os.memfd_create("scoreboard")
            self.board = Scoreboard(MAX_LISTENERS, self._fd)
        except OSError as error:  # such as EFBIG, by `ulimit -f`
            events.totals_not_shared(log, reason=error)
            self._release()
            self.board = Scoreboard(MAX_LISTENERS)
        self.board.parts.update(earlier.parts)
        self._before = Sums()
        self._layouts = dict(earlier.layouts)
        """Of the metrics of listeners, also of those that are gone, as a new master is told of them."""

    def refresh(self) -> None:
        """Read the counts of the masters before this one; the sums below include these."""
        self._before = self._earlier.read()

    def total(self, counter: str) -> int:
        """Sum a counter over every process since the first start."""
        return self.board.total(counter) + self._before.total(counter)

    def total_of(self, place: ListenerPlace, counter: str) -> int:
        """Sum a counter of one listener over every process since the first start."""
        return self.board.total_of(place, counter) + self._before.total_of(place, counter)

    def active(self, place: ListenerPlace) -> int:
        """Return the number of open connections of a listener. Read while workers count, this may be off by some."""
        accepted, moved, closed, moved_out = (
            self.total_of(place, each) for each in ("accepted", "moved", "closed", "moved_out")
        )
        return max(0, accepted + moved - closed - moved_out)

    def metrics_of(self, place: ListenerPlace, layout: Layout) -> list[int]:
        """Sum the block of a listener over every process since the first start; gauges over those that are alive."""
        before = self._before.block_of(place, layout)
        return [ours + theirs for ours, theirs in zip(self.board.metrics_of(place, layout), before, strict=True)]

    def take(self, listeners: Iterable[Listener]) -> None:
        """Make the counts of the masters before this one its own: they have ended.

        :param listeners: those that serve now.
        """
        if self._earlier.ended_in_a_move:
            events.totals_inexact(log)
        sums = self._earlier.read_ended()
        sums.end()
        self._lay_out(listeners)
        blocks = {place: {layout.tag: sums.block_of(place, layout)} for place, layout in self._layouts.items()}
        self.board.take(sums.cells, sums.listeners, blocks)
        self._earlier.close()
        self._before = Sums()
        self.shared.forget_orphans()

    def tell(self, listeners: Iterable[Listener]) -> tuple[int, list[int]]:
        """Describe the boards to a new master.

        :param listeners: those that serve now.
        :returns: the descriptor of the description, which the caller owns, and those of the boards, still owned here.
        :raises OSError: the system refuses.
        """
        described: list[object] = []
        fds: list[int] = []
        if self._fd is not None:
            self._lay_out(listeners)
            described = [describe(self.board, self._places(), self._layouts), *self._earlier.described]
            fds = [self._fd, *self._earlier.fds]
        about = os.memfd_create("totals")
        try:
            with os.fdopen(about, "wb", closefd=False) as file:
                file.write(json.dumps({"boards": described, "fds": fds}).encode())
        except OSError:
            release(about)
            raise
        return about, fds

    def close(self) -> None:
        """Release the memory for others. Idempotent."""
        self._earlier.close()
        self.shared.close()
        self._release()

    def _lay_out(self, listeners: Iterable[Listener]) -> None:
        self._layouts.update((each.place, Layout(each.metrics)) for listener in listeners for each in listener.served)

    def _release(self) -> None:
        if self._fd is not None:
            release(self._fd)
            self._fd = None


def told_totals(about: object, fds: object) -> EarlierBoards:
    """Read what `tell` has made, in this version or another; there may be none."""
    if not isinstance(about, int) or not isinstance(fds, list):
        return EarlierBoards()
    with os.fdopen(about, "rb") as file:
        file.seek(0)
        content = file.read()
    return _earlier_boards(content, [int(fd) for fd in fds])


def _earlier_boards(content: bytes, fds: Sequence[int]) -> EarlierBoards:
    for fd in fds:
        os.set_inheritable(fd, False)
    try:
        described = json.loads(content)["boards"]
        return EarlierBoards([EarlierBoard(fd, each, MAX_LISTENERS) for fd, each in zip(fds, described, strict=True)])
    except (KeyError, TypeError, ValueError, OSError) as error:
        events.totals_not_taken_over(log, reason=error)
        for fd in fds:
            release(fd)
        return EarlierBoards()
