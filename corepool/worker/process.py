"""Makes a forked process a worker: its signals, its descriptors, and its tie to the master's life."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import resource
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from corepool.logs.log import log_fd, reopen_logs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork, for all workers

ORPHAN_GRACE_S = 0.5
"""How long a worker may finish what it has begun when its master is gone."""

_ORPHAN_ALARM_S = 0.8
"""After this long SIGALRM ends it, whatever it is doing; with the start of the next pool that is under a second."""

TERMINAL_SIGNALS = {
    signal.SIGINT: "nothing: the master decides",
    signal.SIGQUIT: "nothing: the master decides",
}
"""Signals that a terminal sends to the whole process group. The reference (docs/) is made from this and the next."""

EVENT_SIGNALS = {
    signal.SIGTERM: "hand connections to other workers, drain, exit 0; it is replaced",
    signal.SIGHUP: "nothing but `on_signal`",
    signal.SIGUSR1: "reopen log files, here",
    signal.SIGUSR2: "nothing but `on_signal`",
    signal.SIGTTIN: "nothing but `on_signal`",
    signal.SIGTTOU: "nothing but `on_signal`",
    signal.SIGWINCH: "nothing but `on_signal`",
}
"""The signals that arrive in the loop as events."""

_MEANT_FOR_MASTER = (signal.SIGHUP, signal.SIGUSR2)
"""They may be sent to every process of a pool (`pkill -HUP corepool`). By default they would end one that boots."""


def detach_from_master(keep: Iterable[int], master_pid: int) -> None:
    """Release everything of the master's, first thing after the fork, with all signals blocked.

    The master's Python objects must stay referenced (the fork's frame holds them): collected later, a
    socket object would close whatever has its number by then.

    :param keep: descriptors to keep besides the standard three.
    """
    signal.set_wakeup_fd(-1)
    for signum in EVENT_SIGNALS:
        signal.signal(signum, signal.SIG_DFL)
    # The master sends it to workers that boot, too: else they would go on writing to a file that was moved away.
    signal.signal(signal.SIGUSR1, _reopen_logs)
    for signum in (*TERMINAL_SIGNALS, *_MEANT_FOR_MASTER):
        # A handler and not SIG_IGN, which programs that the worker starts would inherit.
        signal.signal(signum, _ignore)
    _close_all_but({0, 1, 2, *keep})
    _leave_batch()
    die_with_master(master_pid)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    faulthandler.enable(file=log_fd(), all_threads=True)


def _leave_batch() -> None:
    """Be scheduled as other processes are: of the master's policies, SCHED_RESET_ON_FORK resets real-time ones alone.

    A worker in SCHED_BATCH interrupts nothing that runs when an event wakes it: its clients wait for a core that others
    keep busy.
    """
    with suppress(OSError):  # a seccomp filter may refuse it; the master has logged that
        if os.sched_getscheduler(0) == os.SCHED_BATCH:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def die_with_master(master_pid: int) -> None:
    """Have the kernel send TERM when the master dies. Call it again after each change of user, which clears that."""
    # TERM kills while the worker boots; later it is an event. If the master died before prctl, it is never sent.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != master_pid:
        os._exit(0)


def die_if_orphaned(master_pid: int) -> None:
    """Make sure that SIGTERM from the kernel (PR_SET_PDEATHSIG) ends even a worker whose loop is stuck.

    To be called once the loop handles SIGTERM. A Python handler runs between any two bytecodes, the loop's
    only when the loop turns.
    """

    def on_term(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if os.getppid() != master_pid:
            set_orphan_alarm()

    signal.signal(signal.SIGTERM, on_term)


def share_no_signals_with_forks() -> None:
    """Have the signals of processes that an application forks do there what they do by default.

    The wake-up descriptor is shared: a SIGTERM sent to a child (`multiprocessing.Process.terminate`) would arrive in
    the worker's loop. They are blocked from before the fork, since one may come before the child runs any Python.
    """
    signals = {*EVENT_SIGNALS, *TERMINAL_SIGNALS}
    of_thread = threading.local()  # two threads may fork at a time

    def block() -> None:
        of_thread.mask = signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def restore() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, of_thread.mask)

    def disown() -> None:
        signal.set_wakeup_fd(-1)
        for signum in signals:
            signal.signal(signum, signal.SIG_DFL)
        restore()

    os.register_at_fork(before=block, after_in_parent=restore, after_in_child=disown)


def set_orphan_alarm() -> None:
    """Let the kernel end this process soon, whatever it is doing."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, _ORPHAN_ALARM_S)


def _close_all_but(keep: set[int]) -> None:
    """Close every descriptor that is not in `keep`, by close_range(2) where there is one."""
    low = 0
    for fd in sorted(keep):
        if low < fd:  # closerange(0, 0) would be close_range(0, UINT_MAX) and close everything
            os.closerange(low, fd)
        low = fd + 1
    # The hard limit: the soft one may have been lowered below open descriptors.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.closerange(low, max(hard, os.sysconf("SC_OPEN_MAX")))  # RLIM_INFINITY is -1


def _reopen_logs(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    """Do what the loop does at this signal, once it turns."""
    reopen_logs()


def _ignore(signum: int, frame: FrameType | None) -> None:
    """Do nothing: the master tells what the terminal's signal means."""
