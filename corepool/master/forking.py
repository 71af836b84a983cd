"""The fork of a worker, and the end of the child. The master's frames are never unwound in it."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

EXIT_UNEXPECTED = 70
"""Exit status of a worker that failed outside of every guard (EX_SOFTWARE of sysexits.h)."""


def fork(run: Callable[[], int]) -> int:
    """Fork a worker, and return its pid.

    :param run: runs in the child, with all signals blocked; returns its exit status.
    :raises OSError: EAGAIN, ENOMEM: the system has no process to give.
    """
    # Output that is buffered now would be written by both processes.
    _flush_standard_streams()
    # No signal may reach the child before it has handlers of its own.
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _be_worker(run)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
    return pid


def end_at_once(pid: int) -> None:
    """End a process that nothing would watch."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _be_worker(run: Callable[[], int]) -> None:
    """Be the child; never return."""
    status = EXIT_UNEXPECTED
    # Clients of tracing and error reporting send their last records from atexit, which os._exit omits. The
    # functions that the master registered stay the master's, as in multiprocessing.
    atexit._clear()  # noqa: SLF001
    try:
        status = run()
    except HOOK_ERRORS as error:
        events.worker_process_failed.exception(log, error)
    finally:
        try:
            atexit._run_exitfuncs()  # noqa: SLF001
            logging.shutdown()
            _flush_standard_streams()
        finally:
            os._exit(status)


def _flush_standard_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # absent, full or closed: no reader is left
