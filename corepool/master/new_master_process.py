"""The process of a new master: executed with the listening sockets, and watched until it is ready or has ended.

The old master's side of inheritance.py. upgrading.py says how the two talk.
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

from corepool.errors import PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.channel import Channel
from corepool.ipc.messages import Ready
from corepool.ipc.shapes import SocketIndex
from corepool.master import events
from corepool.master.inheritance import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from corepool.master.loop import Loop, Timer
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

_LAST_S = 10.0
"""How long a new master may take to end once it has closed the channel: corepool closes it only by ending, which takes
an interpreter seconds on a busy machine, but some other program may have been executed."""

_KILLED_S = 2.0
"""How long one that was killed is waited for."""


class NewMasterProcess:
    """A new master that has been executed. `NewMaster` is the way to it once it serves."""

    def __init__(
        self,
        loop: Loop,
        bound: Iterable[BoundSocket],
        told: Mapping[str, object],
        fds: Sequence[int],
        timeout_s: float,
        on_ready: Callable[[int], None],
        on_failed: Callable[[str], None],
    ) -> None:
        """Execute the same command again, with the sockets.

        :param told: what it is to know besides, by the keys of `Inheritance`; in types that JSON can hold.
        :param fds: descriptors that it is told of.
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
        environment = {**os.environ, VARIABLE: json.dumps({**told, "channel": theirs.fd, "sockets": sockets})}
        environment.pop("WATCHDOG_PID", None)  # it names us; without it, the rest holds for any process
        passed = [theirs.fd, *(fd for _, fd, _ in sockets), *fds]
        try:
            self._process = subprocess.Popen(_command(), env=environment, pass_fds=passed)  # noqa: S603  # as we were
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
            self._process.wait(_KILLED_S)


def _command() -> Sequence[str]:
    # As it was started: `corepool`, `python -m corepool`, whatever flags the interpreter had.
    return [sys.executable, *sys.orig_argv[1:]]
