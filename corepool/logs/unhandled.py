"""Exceptions that have no caller to go to: of threads, of `__del__`, of callbacks of weak references.

The interpreter writes them to standard error, past the log: not in its format, nor in its file.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from corepool.logs import events
from corepool.logs.rate_limited import RateLimitedLog

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = logging.getLogger(__name__)


def log_unhandled() -> None:
    """Send them to the log, in this process and in those it forks."""
    rate_limited = RateLimitedLog(log)  # a client can cause them, by a wrong name in TLS, say, and each is of a page

    def log_unraisable(args: UnraisableHookArgs) -> None:
        where = getattr(args.object, "__qualname__", None) or type(args.object).__qualname__  # its repr may raise again
        events.exception_ignored.exception(rate_limited, _error(args), where=where, reason=args.err_msg)

    sys.unraisablehook = log_unraisable
    threading.excepthook = _log_of_thread


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:  # how a thread may end itself
        return
    name = "?" if args.thread is None else args.thread.name
    events.thread_failed.exception(log, _error(args), thread=name)


def _error(args: UnraisableHookArgs | threading.ExceptHookArgs) -> BaseException:
    return args.exc_value if args.exc_value is not None else args.exc_type()
