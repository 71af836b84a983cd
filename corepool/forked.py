"""Processes that code in a worker forks, and that return into the server.

A child of os.fork() has to end itself. One that returns instead shares the worker's epoll and its counters, and serves
its connections a second time. That mistake costs the child, and nothing of the worker.
"""

from __future__ import annotations

import logging
import os
from typing import NoReturn

from corepool.logs import events

log = logging.getLogger(__name__)


def end_fork() -> NoReturn:
    """End this process, which is a child of a worker. Runs in: that child, once it is back in the server's own code."""
    events.forked_process_ended(log, pid=os.getpid(), parent=os.getppid())
    os._exit(os.EX_SOFTWARE)
