"""The end of a worker that no master can end: its master was killed, and it is in a call that never returns.

A Python signal handler runs between two bytecodes: in a loop in C, the one for the kernel's SIGTERM (PR_SET_PDEATHSIG)
never runs, and a worker that accepts by itself keeps the port. Only the kernel can end that: it is given a timer
(timer_create(2)) that sends SIGKILL, and that each turn of the loop sets back.

The timer counts the time that this thread is on the CPU: it stands still while the process is stopped or waits (a call
that waits is interrupted by the SIGTERM, and the handler runs). It is long enough for the master, if there is one, to
find the worker hung first and end it, with its stacks in the log. An application keeps SIGALRM and the timers of
setitimer(2) to itself, and what it forks doesn't inherit this one.
"""

from __future__ import annotations

import ctypes
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

_SIGNAL_BY = 0  # SIGEV_SIGNAL

_library: Any = ctypes.CDLL(None)  # looked up before the fork, for all workers
_create: Any = getattr(_library, "timer_create", None)  # glibc before 2.34 has them elsewhere
_set: Any = getattr(_library, "timer_settime", None)


class _Event(ctypes.Structure):
    """struct sigevent, sigevent(3type): 64 bytes."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("unused", ctypes.c_char * (64 - ctypes.sizeof(ctypes.c_void_p) - 2 * ctypes.sizeof(ctypes.c_int))),
    )


class _Setting(ctypes.Structure):
    """struct itimerspec: seconds and nanoseconds, to be repeated and until it rings."""

    _fields_ = (("interval", ctypes.c_long * 2), ("first", ctypes.c_long * 2))


class Watchdog:
    """Ends this process when its loop has not turned for long, and was not waiting. For the loop's own thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interval_s: float, heartbeat_timeout_s: float) -> None:
        """Begin, in the loop's thread. Where the system has no such timer it does nothing."""
        self._loop = loop
        self._interval_s = interval_s
        # The master looks four times per timeout, may skip a look, and leaves a second for the stacks.
        limit_ns = int((2 * heartbeat_timeout_s + 2) * 1e9)
        self._limit = _Setting(first=(limit_ns // 10**9, limit_ns % 10**9))
        self._timer = ctypes.c_void_p()  # the first one of a process is number 0
        event = _Event(signo=signal.SIGKILL, notify=_SIGNAL_BY)
        made = (time.CLOCK_THREAD_CPUTIME_ID, ctypes.byref(event), ctypes.byref(self._timer))
        self._exists = _create is not None and _create(*made) == 0
        if self._exists:
            self._on_turn()

    def disarm(self) -> None:
        """End: the loop turns no more, and the process goes on for a while."""
        if self._exists:
            _set(self._timer, 0, ctypes.byref(_Setting()), None)

    def _on_turn(self) -> None:
        _set(self._timer, 0, ctypes.byref(self._limit), None)
        self._loop.call_later(self._interval_s, self._on_turn)
