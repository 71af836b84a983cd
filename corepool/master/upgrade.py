"""Upgrade in place: a new master is executed with the listening sockets, and the old one leaves when it is ready.

The two talk by a channel: the new master says READY when its workers are; if it ends before, the channel does.
So a new version that can't start costs nothing: until then the old master serves as before, and the new one accepts
nothing. For a short time both accept. Then the old one's workers hand back what is idle, and the new one gets it by the
channel: the messages are those for workers, but for the number of the socket, which is its place in the list that the
new master was started with.
"""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import time
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, ControlError, PeerGoneError
from corepool.ipc.channel import Channel
from corepool.ipc.frozen import pack
from corepool.ipc.messages import Kind, Message
from corepool.master.inheritance import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from corepool.listener import BoundSocket
    from corepool.master.inheritance import Orders
    from corepool.master.ledger import Handoff
    from corepool.master.loop import Loop, Timer
    from corepool.master.status import UpgradeStatus

log = logging.getLogger(__name__)

_PATIENCE_S = 2.0
"""How long the old master waits for a new one that does not take what it is given: it has little else to do."""


class Upgrade:
    """The upgrade under way, or how the last one has ended."""

    def __init__(self, loop: Loop, on_done: Callable[[int], None], on_failed: Callable[[], None]) -> None:
        """Begin with none.

        :param on_done: called once a new master serves, with its pid: this one has to leave.
        :param on_failed: called when an upgrade has failed: this one goes on.
        """
        self._loop = loop
        self._on_done = on_done
        self._on_failed = on_failed
        self._successor: Successor | None = None
        """The new master, until it is ready."""
        self.heir: Successor | None = None
        """The one that serves in our place."""
        self._status: UpgradeStatus = {"state": "none", "pid": 0, "error": ""}

    def status(self) -> UpgradeStatus:
        """Describe it."""
        return self._status

    def refuse_another(self) -> None:
        """Let nothing begin while it is under way.

        :raises ControlError: it is.
        """
        if self._successor is not None:
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")

    def begin(self, bound: Iterable[BoundSocket], orders: Orders, timeout_s: float) -> None:
        """Execute a new master with the listening sockets.

        :param orders: what holds for it as well.
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
        log.info("upgrade begins pid=%d", self._successor.pid)

    def give_up(self) -> None:
        """Kill a new master that isn't ready yet, for the pool stops."""
        if self._successor is not None:
            self._successor.close()
            self._successor = None

    def release(self) -> None:
        """Let the heir know that nothing more comes."""
        if self.heir is not None:
            self.heir.release()

    def _done(self, pid: int) -> None:
        log.info("upgrade done: another master serves now pid=%d", pid)
        self.heir, self._successor = self._successor, None
        self._status["state"] = "done"
        self._on_done(pid)

    def _failed(self, reason: str) -> None:
        log.error("upgrade failed, this master goes on: the new one was not ready: %s", reason)
        self._successor = None
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
        self._channel, theirs = Channel.pair()
        self._is_open = True
        bound = list(bound)
        self._places = {each.index: place for place, each in enumerate(bound)}
        sockets = [(each.endpoint.url, each.socket.fileno()) for each in bound]
        told = {"channel": theirs.fd, "sockets": sockets, "orders": orders.tell()}
        environment = {**os.environ, VARIABLE: json.dumps(told)}
        environment.pop("WATCHDOG_PID", None)  # it is ours; without it, whoever reads the rest is meant
        fds = [theirs.fd, *(fd for _, fd in sockets)]
        try:
            self._process = subprocess.Popen(_command(), env=environment, pass_fds=fds)  # noqa: S603  # as we were
        except OSError:
            self._channel.close()
            raise
        finally:
            theirs.close()
        loop.watch(self._channel.fd, EPOLLIN, self._on_event)
        self._timer: Timer = loop.call_later(timeout_s, self._process.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def sockets(self) -> Collection[int]:
        """The sockets that the new master was given."""
        return self._places.keys()

    def close(self) -> None:
        """Kill one that isn't ready yet, for the pool stops."""
        self._process.kill()
        self._finish()
        self._process.wait()

    def give(self, handoff: Handoff) -> None:
        """Give a connection to the new master once it is ready, and own it; one that it does not take is lost."""
        place = self._places.get(handoff.listener)
        try:
            if place is None:
                log.warning("connection lost: it came in by a socket that the new master does not know")
            elif not self._send(handoff, place):
                log.warning("connection lost: the new master does not take it")
        finally:
            os.close(handoff.fd)

    def release(self) -> None:
        """Let the new master know that nothing more comes. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._channel.close()

    def _send(self, handoff: Handoff, place: int) -> bool:
        if handoff.frozen is None:
            message = Message(Kind.HANDOFF, place, b"\1")
        else:
            message = Message(Kind.THAW, place, pack([handoff.frozen]))
        deadline = time.monotonic() + _PATIENCE_S
        while self._is_open:
            try:
                self._channel.send(message, [handoff.fd])
            except PeerGoneError:
                return False
            except ChannelFullError:
                if not select.select([], [self._channel.fd], [], max(0.0, deadline - time.monotonic()))[1]:
                    return False
                continue
            return True
        return False

    def _on_event(self, mask: int) -> None:  # noqa: ARG002  # its end is read as such
        try:
            received = self._channel.receive()
        except PeerGoneError:
            self._finish()
            status = self._process.wait()  # it has closed its channel, which nothing but its end does
            self._on_failed(f"it ended with status {status}" if status >= 0 else f"it was ended by signal {-status}")
            return
        if received is not None and received[0].kind is Kind.READY:
            self._timer.cancel()
            self._loop.unwatch(self._channel.fd)
            self._on_ready(self._process.pid)

    def _finish(self) -> None:
        self._timer.cancel()
        self._loop.unwatch(self._channel.fd)
        self.release()


def _command() -> Sequence[str]:
    # As it was started: `corepool`, `python -m corepool`, whatever flags the interpreter had.
    return [sys.executable, *sys.orig_argv[1:]]
