"""Signals as events: a wake-up descriptor, and handlers that do nothing themselves."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

HANDLED = {
    signal.SIGTERM: "stop: accept nothing more, drain, exit 0",
    signal.SIGINT: "stop at once, exit 0; a second one kills",
    signal.SIGQUIT: "the same",
    signal.SIGHUP: "reload: read the configuration, replace the workers, each when its replacement is ready",
    signal.SIGUSR2: "upgrade: a new master takes over the sockets, this one leaves when it is ready",
    signal.SIGUSR1: "reopen log files, here and in every worker",
    signal.SIGTTIN: "one worker more, in each pool",
    signal.SIGTTOU: "one worker fewer, in each pool",
    signal.SIGWINCH: "nothing but `on_signal`",
    signal.SIGCHLD: "reap orphans, as process 1 of a container; workers are watched by pidfd",
}
"""The signals that the master handles, with their meanings. The reference (docs/) is made from this."""

_COUNTED = frozenset({signal.SIGTTIN, signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT})


class Signals:
    """The process's signals, taken over between `install` and `restore`. Main thread only."""

    def __init__(self) -> None:
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._previous: dict[int, object] = {}
        self._previous_wakeup_fd = -1
        self._previous_mask: set[signal.Signals | int] = set()

    def install(self) -> None:
        """Have every handled signal written to `fd`. To be called before the first fork."""
        # A full pipe loses bytes; but then it is readable, and what a signal means is looked up afresh.
        self._previous_wakeup_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for signum in HANDLED:
            self._previous[signum] = signal.signal(signum, _note)
        # execve(2) keeps the signal mask: a process manager that blocks signals would leave a pool that never stops.
        self._previous_mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def read(self) -> list[int]:
        """Return the signals that arrived, in order; each once, except those that mean more the second time."""
        try:
            arrived = os.read(self.fd, 4096)
        except BlockingIOError:
            return []
        first = {signum: place for place, signum in reversed(list(enumerate(arrived)))}
        return [signum for place, signum in enumerate(arrived) if signum in _COUNTED or first[signum] == place]

    def restore(self) -> None:
        """Restore the former handlers and close the pipe. Idempotent."""
        if self.fd < 0:
            return
        if self._previous:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._previous_mask)
            signal.set_wakeup_fd(self._previous_wakeup_fd)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)  # type: ignore[arg-type]
        os.close(self.fd)
        os.close(self._write_fd)
        self.fd = -1


def _note(signum: int, frame: FrameType | None) -> None:
    """Do nothing: the interpreter has written the number to the wake-up descriptor already."""
