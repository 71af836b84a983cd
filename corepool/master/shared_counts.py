"""The memory of the counts that workers share, as the master has it: made, passed on at an upgrade, kept tidy."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.ipc.shared_area import SharedArea
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

_TOLD = "shared"


class SharedCounts:
    """Owns the memory, together with the other masters of an upgrade."""

    def __init__(self, told: Mapping[str, object]) -> None:
        """Go on with that of the master before this one, or make it.

        :param told: by that master, as `tell` has made it; it may have told of nothing.
        :raises OSError: the system refuses.
        """
        self._fd: int | None = None
        fd = told.get(_TOLD)
        if isinstance(fd, int):
            os.set_inheritable(fd, False)
            try:
                self.area = SharedArea(fd, is_made=True)
            except (OSError, ValueError) as error:
                events.shared_counts_begin_anew(log, reason=error)
                release(fd)
            else:
                self._fd = fd
                return
        try:
            self._fd = os.memfd_create("shared-counts")
            self.area = SharedArea(self._fd)
        except OSError as error:  # such as EFBIG, by `ulimit -f`
            events.shared_counts_end_here(log, reason=error)
            self.close()
            self.area = SharedArea()

    def tell(self) -> tuple[dict[str, object], list[int]]:
        """Return what a new master is told, in types that JSON can hold, and the descriptors that it needs."""
        return ({}, []) if self._fd is None else ({_TOLD: self._fd}, [self._fd])

    def forget_orphans(self) -> None:
        """Forget the workers of a master that has ended: it may have been killed before it noted their ends."""
        try:
            self.area.forget_orphans()
        except TimeoutError:
            pass  # the next worker that is forked does it

    def close(self) -> None:
        """Release the memory for others. Idempotent."""
        if self._fd is not None:
            release(self._fd)
            self._fd = None
