"""Events of the log itself."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.WARNING)
def log_lines_dropped(*, count: int) -> None:
    """Lines of the log are lost: its reader, such as a pipe, doesn't keep up."""


@event(logging.WARNING)
def log_file_not_reopened(*, reason: object) -> None:
    """A log file can't be opened again after USR1; the open one stays in use."""


@event(logging.ERROR)
def exception_ignored(*, where: str, reason: str | None) -> None:
    """An exception has no caller to go to: of `__del__`, or of a callback of a weak reference."""


@event(logging.ERROR)
def thread_failed(*, thread: str) -> None:
    """A thread of the application has ended with an exception."""


@event(logging.ERROR)
def log_handler_failed() -> None:
    """A handler or filter that the application has added to the log raises for a record of the server."""


@event(logging.ERROR)
def forked_process_ended(*, pid: int, parent: int) -> None:
    """A process that an application has forked in a worker has returned into the server, and is ended.

    Such a process has to end by `os._exit()`.
    """
