"""Upgrade in place: a new master is executed with the listening sockets, and the old one leaves when it is ready.

The two talk by a channel: the new master says READY when its workers are; if it ends before, so does the channel.
So a new version that can't start costs nothing: until then the old master serves as before, and the new one accepts
nothing. For a short time both accept. Then the old one's workers hand back idle connections, and the new one gets them
by the channel: the messages are those for workers, but for the number of the socket, which is its place in the list
that the new master was started with.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ControlError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.channel import Channel
from corepool.ipc.messages import Ready, SocketIndex
from corepool.master import events
from corepool.master.inheritance import VARIABLE
from corepool.master.new_master import NewMaster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.master.inheritance import Orders
    from corepool.master.loop import Loop, Timer
    from corepool.master.status import UpgradeStatus
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

_LAST_S = 2.0
"""How long a new master may take to end once it has closed the channel: corepool closes it only by ending, but some
other program may have been executed."""


class Upgrade:
    """The upgrade under way, or how the last one has ended."""

    def __init__(
        self, loop: Loop, on_done: Callable[[int], None], on_failed: Callable[[], None], on_room: Callable[[], None]
    ) -> None:
        """Begin with none.

        :param on_done: called once a new master serves, with its pid: this one has to leave.
        :param on_failed: called when an upgrade has failed: this one goes on.
        :param on_room: called when connections had to wait for the new master, and no longer do.
        """
        self._loop = loop
        self._on_room = on_room
        self._on_done = on_done
        self._on_failed = on_failed
        self._successor: Successor | None = None
        """The new master that was executed last."""
        self.new_master: NewMaster | None = None
        """The one that serves in our place."""
        self._status: UpgradeStatus = {"state": "none", "pid": 0, "error": ""}

    def status(self) -> UpgradeStatus:
        """Describe it."""
        return self._status

    def refuse_orders(self) -> None:
        """Refuse orders while an upgrade is under way: the new master would not know of them.

        :raises ControlError: one is.
        """
        if self._successor is not None and self._status["state"] == "running":
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")

    def begin(self, bound: Iterable[BoundSocket], orders: Orders, timeout_s: float) -> None:
        """Execute a new master with the listening sockets.

        :param orders: those that hold for it as well.
        :param timeout_s: how long it may take to be ready.
        :raises ControlError: it can't be executed, or not here.
        """
        if os.getpid() == 1:
            raise ControlError("process 1 can't leave: its container would end; replace the container instead")
        try:
            self._successor = Successor(self._loop, bound, orders, timeout_s, self._done, self._failed)
        except OSError as error:
            raise ControlError(f"the new master can't be executed: {error.strerror or error}") from None
        self._status = {"state": "running", "pid": self._successor.pid, "error": ""}
        events.upgrade_started(log, pid=self._successor.pid)

    def give_up(self) -> None:
        """Kill a new master that isn't ready yet, since the pool stops."""
        if self._successor is not None and self._status["state"] == "running":
            self._successor.close()
            self._status["state"], self._status["error"] = "failed", "the pool was told to stop"

    def release(self) -> None:
        """End the channel to the new master: nothing more comes."""
        if self.new_master is not None:
            self.new_master.release()

    def _done(self, pid: int) -> None:
        events.upgrade_done(log, pid=pid)
        assert self._successor is not None
        self.new_master = NewMaster(self._loop, self._successor.channel, self._successor.places, self._on_room)
        self._status["state"] = "done"
        self._on_done(pid)

    def _failed(self, reason: str) -> None:
        events.upgrade_failed(log, reason=reason)
        self._status["state"], self._status["error"] = "failed", reason
        self._on_failed()


class Successor:
    """A new master that has been executed."""

    def __init__(
        self,
        loop: Loop,
        bound: Iterable[BoundSocket],
        orders: Orders,
        timeout_s: float,
        on_ready: Callable[[int], None],
        on_failed: Callable[[str], None],
    ) -> None:
        """Execute the same command again, with the sockets.

        :param timeout_s: how long it may take to be ready; then it is killed.
        :param on_ready: called once it serves, with its pid.
        :param on_failed: called once it has ended before that, with the reason. One of the two is called.
        :raises OSError: it can't be executed.
        """
        self._loop = loop
        self._on_ready = on_ready
        self._on_failed = on_failed
        self.channel, theirs = Channel.pair()
        """Our end; the new master's once it is ready."""
        bound = list(bound)
        self.places = {each.index: SocketIndex(place) for place, each in enumerate(bound)}
        """By the indices of our bound sockets, their places in the list that it was given."""
        sockets = [(each.endpoint.url, each.socket.fileno(), each.listener.name) for each in bound]
        told = {"channel": theirs.fd, "sockets": sockets, "orders": orders.tell()}
        environment = {**os.environ, VARIABLE: json.dumps(told)}
        environment.pop("WATCHDOG_PID", None)  # it names us; without it, the rest holds for any process
        fds = [theirs.fd, *(fd for _, fd, _ in sockets)]
        try:
            self._process = subprocess.Popen(_command(), env=environment, pass_fds=fds)  # noqa: S603  # as we were
        except OSError:
            self.channel.close()
            raise
        finally:
            theirs.close()
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError:
            self._kill()
            self.channel.close()
            raise
        loop.watch(self._pidfd, EPOLLIN, self._on_end)
        loop.watch(self.channel.fd, EPOLLIN, self._on_message)
        self._timer: Timer = loop.call_later(timeout_s, self._process.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """Kill one that isn't ready yet, since the pool stops."""
        self._forget()
        self.channel.close()
        self._kill()

    def _on_message(self, mask: int) -> None:  # noqa: ARG002  # its end is read as such
        try:
            received = self.channel.receive()
        except OSError as error:  # ENOMEM and the like
            self._loop.rest(self.channel.fd, EPOLLIN)
            events.new_master_not_read(log, reason=error)
            return
        except PeerGoneError:
            self._loop.unwatch(self.channel.fd)
            self._timer.cancel()
            self._timer = self._loop.call_later(_LAST_S, self._process.kill)
            return
        if received is not None and isinstance(received[0], Ready):
            self._forget()
            self._on_ready(self._process.pid)

    def _on_end(self, mask: int) -> None:  # noqa: ARG002
        status = self._process.wait()
        self._forget()
        self.channel.close()
        self._on_failed(f"it ended with status {status}" if status >= 0 else f"it was ended by signal {-status}")

    def _forget(self) -> None:
        """Wait for it no more."""
        self._timer.cancel()
        self._loop.unwatch(self.channel.fd)
        self._loop.unwatch(self._pidfd)
        release(self._pidfd)

    def _kill(self) -> None:
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel: not our matter
            self._process.wait(_LAST_S)


def _command() -> Sequence[str]:
    # As it was started: `corepool`, `python -m corepool`, whatever flags the interpreter had.
    return [sys.executable, *sys.orig_argv[1:]]
