"""Upgrade in place: a new master is executed with the listening sockets, and the old one leaves when it is ready.

The two talk by a pipe: the new master writes a byte when its workers are ready; if it ends before, the pipe does.
So a new version that can't start costs nothing. Until then the old master serves as before; both accept for the
short time in which both are ready.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from select import EPOLLIN
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping, Sequence

    from corepool.listener import BoundSocket
    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)

VARIABLE = "COREPOOL_UPGRADE"
"""The environment variable that tells a new master what it inherits: JSON, the pipe and the sockets by their URLs."""

_READY = b"1"


class Successor:
    """The old master's side: a new master that has been executed, until it is ready or has failed."""

    def __init__(
        self,
        loop: Loop,
        bound: Iterable[BoundSocket],
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
        self._pipe, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        sockets = [(each.endpoint.url, each.socket.fileno()) for each in bound]
        environment = {**os.environ, VARIABLE: json.dumps({"pipe": theirs, "sockets": sockets})}
        environment.pop("WATCHDOG_PID", None)  # it is ours; without it, whoever reads the rest is meant
        fds = [theirs, *(fd for _, fd in sockets)]
        try:
            self._process = subprocess.Popen(_command(), env=environment, pass_fds=fds)  # noqa: S603  # as we were
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
        loop.watch(self._pipe, EPOLLIN, self._on_event)
        self._timer: Timer = loop.call_later(timeout_s, self._process.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def close(self) -> None:
        """Kill one that isn't ready yet, for the pool stops."""
        self._process.kill()
        self._finish()
        self._process.wait()

    def _on_event(self, mask: int) -> None:  # noqa: ARG002  # its end is read as such
        try:
            said = os.read(self._pipe, 1)
        except BlockingIOError:
            return
        self._finish()
        if said == _READY:
            self._on_ready(self._process.pid)
            return
        status = self._process.wait()  # it has closed its pipe, which nothing but its end does
        self._on_failed(f"it ended with status {status}" if status >= 0 else f"it was ended by signal {-status}")

    def _finish(self) -> None:
        self._timer.cancel()
        self._loop.unwatch(self._pipe)
        os.close(self._pipe)


class Inheritance:
    """The new master's side: what the old one has left."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take it out of the environment, so that no worker and no later master finds it there."""
        told = json.loads(environment.pop(VARIABLE, "{}"))
        self._pipe: int | None = told.get("pipe")
        if self._pipe is not None:
            os.set_inheritable(self._pipe, False)  # a worker's programs would keep it open
        self._sockets: list[tuple[str, int]] = [(str(url), int(fd)) for url, fd in told.get("sockets", ())]

    @property
    def is_upgrade(self) -> bool:
        """True when there is an old master."""
        return self._pipe is not None

    def take(self, url: str) -> socket.socket | None:
        """Take over the socket of a URL, if there is one."""
        for number, (its_url, fd) in enumerate(self._sockets):
            if its_url == url:
                del self._sockets[number]
                sock = socket.socket(fileno=fd)
                sock.set_inheritable(False)
                sock.setblocking(False)
                return sock
        return None

    def close_rest(self) -> None:
        """Close the sockets that the configuration no longer names."""
        for _, fd in self._sockets:
            os.close(fd)
        self._sockets.clear()

    def say_ready(self) -> None:
        """Let the old master go. Idempotent."""
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        try:
            os.write(pipe, _READY)
        except OSError:
            pass  # it is gone already
        os.close(pipe)


def _command() -> Sequence[str]:
    # As it was started: `corepool`, `python -m corepool`, whatever flags the interpreter had.
    return [sys.executable, *sys.orig_argv[1:]]
