import asyncio
import atexit
import itertools
import os
import signal
import sys
from pathlib import Path

from corepool import hookimpl

# TERM means "end" to a worker that boots; TTIN and TTOU are a terminal's, and stop a job in the background.
MEANINGLESS_AT_START = [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH]
ALL = [*MEANINGLESS_AT_START, signal.SIGTERM, signal.SIGTTIN, signal.SIGTTOU]


def receive(signals, until=None):
    """Have this process send itself one of these signals before each line that it runs, while its loop doesn't run.

    :param signals: in turn.
    :param until: the name of a function that ends it.
    """
    signum = itertools.cycle(signals)

    def before_line(frame, event, arg):
        if frame.f_code.co_name == until:
            sys.settrace(None)
            return None
        if asyncio._get_running_loop() is None:
            os.kill(os.getpid(), next(signum))
        return before_line

    sys.settrace(before_line)
    frame = sys._getframe()
    while frame is not None:
        frame.f_trace = before_line
        frame = frame.f_back


class Signalled:
    @hookimpl
    def on_worker_start(self, worker):
        atexit.register(Path("ended").touch)
        if Path("at-start").exists():
            # From there on the loop is to read them, which doesn't run yet, and 278 of them fill its socket.
            receive(MEANINGLESS_AT_START, until="take_up_signals")

    @hookimpl
    def on_readable(self, conn):
        conn.send(conn.recv())

    @hookimpl
    def on_signal(self, signum):
        Path("told-of-signals").touch()

    @hookimpl
    def on_worker_stop(self):
        Path("told-of-signals").unlink(missing_ok=True)
        receive(ALL)

    @hookimpl
    def on_stop(self):
        receive(ALL)
