"""An upgrade is carried out: a new master is executed with the listening sockets, and takes the place of this one.

The two talk by a channel: the new master says READY when its workers are; if it ends before, so does the channel.
So a new version that can't start costs nothing: until then the old master serves as before, and the new one accepts
nothing. For a short time both accept. Then the old one's workers hand back idle connections, and the new one gets them
by the channel: the messages are those for workers, but for the number of the socket, which is its place in the list
that the new master was started with.
"""

from __future__ import annotations

import ctypes
import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING

from corepool.errors import ControlError
from corepool.ipc.channel import Channel
from corepool.master import events
from corepool.master.new_master import NewMaster
from corepool.master.new_master_process import NewMasterProcess
from corepool.master.upgrade import Upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from corepool.master.bus import BusDirectory
    from corepool.master.loop import Loop
    from corepool.master.status import UpgradeStatus
    from corepool.master.totals import TotalCounts
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

_PR_GET_PDEATHSIG = 2  # <linux/prctl.h>


class Upgrading:
    """Executes the new master, and gives it our place. Owns its process until it is ready, and the way to it then."""

    def __init__(
        self,
        loop: Loop,
        totals: TotalCounts,
        bus: BusDirectory,
        on_done: Callable[[int], None],
        on_failed: Callable[[], None],
        on_room: Callable[[], None],
    ) -> None:
        """Begin with no upgrade.

        :param totals: the counts that the new master goes on with.
        :param bus: it becomes one with the new master's, so that the workers of both reach each other.
        :param on_done: called once a new master serves, with its pid: this one has to leave.
        :param on_failed: called when an upgrade has failed: this one goes on.
        :param on_room: called when connections had to wait for the new master, and no longer do.
        """
        self._loop = loop
        self._totals = totals
        self._bus = bus
        self._on_room = on_room
        self._on_done = on_done
        self._on_failed = on_failed
        self._upgrade = Upgrade()
        self._process: NewMasterProcess | None = None
        """The new master that was executed last; None: none was."""
        self.new_master: NewMaster | None = None
        """The one that serves in our place; None unless the upgrade is done."""

    def status(self) -> UpgradeStatus:
        """Describe the upgrade under way, or how the last one has ended."""
        return self._upgrade.status()

    def refuse_orders(self) -> None:
        """Refuse orders while an upgrade is under way: the new master would not know of them.

        :raises ControlError: one is.
        """
        if self._upgrade.is_running:
            raise ControlError(f"an upgrade is under way (pid {self._upgrade.pid})")

    def begin(self, bound: Iterable[BoundSocket], told: Mapping[str, object], timeout_s: float) -> None:
        """Execute a new master with the listening sockets.

        :param told: what it is to know besides, by the keys of `Inheritance`.
        :param timeout_s: how long it may take to be ready.
        :raises ControlError: it can't be executed, or not here.
        """
        if os.getpid() == 1:
            raise ControlError("process 1 can't leave: its container would end; replace the container instead")
        if _ends_with_its_parent():
            raise ControlError(
                "this pool ends with the process that started it, as corepool.run has it (PR_SET_PDEATHSIG), and a new "
                "master would not; reload, or restart that process instead"
            )
        bound = list(bound)
        try:
            about, boards = self._totals.tell(each.listener for each in bound)
            shared, areas = self._totals.shared.tell()
            with os.fdopen(about, "rb"):  # closed behind it
                ours, theirs = Channel.pair()
                with closing(theirs):
                    self._bus.link(ours)  # ends with the process, should that not start
                    more = {**told, **shared, "totals": about, "boards": boards, "bus": theirs.fd}
                    fds = [about, *boards, *areas, theirs.fd]
                    self._process = NewMasterProcess(self._loop, bound, more, fds, timeout_s, self._done, self._failed)
        except OSError as error:
            raise ControlError(f"the new master can't be executed: {error.strerror or error}") from None
        self._upgrade.begin(self._process.pid)
        events.upgrade_started(log, pid=self._process.pid)

    def give_up(self) -> None:
        """Kill a new master that isn't ready yet, since the pool stops."""
        if self._upgrade.is_running and self._process is not None:
            self._process.close()
            self._upgrade.fail("the pool was told to stop")

    def release(self) -> None:
        """End the channel to the new master: nothing more comes."""
        if self.new_master is not None:
            self.new_master.release()

    def _done(self, pid: int) -> None:
        events.upgrade_done(log, pid=pid)
        assert self._process is not None
        self._upgrade.done()
        self.new_master = NewMaster(self._loop, self._process.channel, self._process.places, self._on_room)
        self._on_done(pid)

    def _failed(self, reason: str) -> None:
        events.upgrade_failed(log, reason=reason)
        self._upgrade.fail(reason)
        self._on_failed()


def _ends_with_its_parent() -> bool:
    """Return whether the kernel signals this process when its parent ends: prctl(2)."""
    signum = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_PDEATHSIG, ctypes.byref(signum))
    return signum.value != 0
