"""The signals that end a process by default, around the time when the master handles them."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from corepool.plugins.listener import ListenerLine

_ENDING = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
"""Those that the master handles; the last two stop a process, as a terminal's job."""


class StopSignals:
    """Have them end this process as usual until the pool is ready, and mean nothing once it has stopped.

    A signal that is sent again while the interpreter ends would turn the exit status into "killed by SIGTERM". The
    master gives the handlers back that it found, so these have to be there before it begins.
    """

    def __init__(self) -> None:
        """Install the handlers, but where a signal is ignored, as under nohup. Main thread only."""
        self._was_ready = False
        self._usual = {signum: signal.getsignal(signum) for signum in _ENDING}
        for signum, handler in self._usual.items():
            if handler is not signal.SIG_IGN:
                signal.signal(signum, self._on_signal)

    def after(self, announce: Callable[[Sequence[ListenerLine]], None]) -> Callable[[Sequence[ListenerLine]], None]:
        """Return an `announce` that notes that the pool is ready."""

        def note(lines: Sequence[ListenerLine]) -> None:
            self._was_ready = True
            announce(lines)

        return note

    def ignore(self) -> None:
        """Have the kernel ignore them until the process has ended: the interpreter takes handlers back before."""
        for signum in _ENDING:
            signal.signal(signum, signal.SIG_IGN)

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._was_ready:
            return
        usual = self._usual[signal.Signals(signum)]
        if callable(usual):
            usual(signum, frame)
            return
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
