"""The page of the signals."""

from __future__ import annotations

from signal import SIGCHLD

from corepool.master.signals import HANDLED
from corepool.worker.process import EVENT_SIGNALS, TERMINAL_SIGNALS
from docs.making.text import MADE, table

_HEAD = f"""\
# Signals

{MADE}
Each arrives as an event of the loop, and plugins hear of it by `on_signal`, in the process that got it, before it is
acted upon. Commands do the same, and wait until it is done: [operations](../operations.md).
"""
_TAIL = """
KILL can't be handled. A worker that is killed is replaced, and connections on their way to it go to others
([the ledger](../explanation/ledger.md)); when the master is killed, workers notice, finish what they can, and are
gone within a second.
"""


def page() -> str:
    """Write the page."""
    of_workers = TERMINAL_SIGNALS | EVENT_SIGNALS
    rows = [
        (signum.name.removeprefix("SIG"), meaning, of_workers[signum])
        for signum, meaning in HANDLED.items()
        if signum != SIGCHLD  # sent by the kernel, not by an operator
    ]
    return f"{_HEAD}\n{table(['signal', 'to the master', 'to a worker'], rows)}{_TAIL}"
