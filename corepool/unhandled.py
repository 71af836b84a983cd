"""Exceptions that have no caller to go to: of threads, of `__del__`, of callbacks of weak references.

The interpreter writes them to standard error, past the log: not in its format, nor in its file.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import TracebackType

log = logging.getLogger(__name__)


def log_unhandled() -> None:
    """Send them to the log, in this process and in those it forks."""
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_of_thread


def _log_unraisable(args: UnraisableHookArgs) -> None:
    where = getattr(args.object, "__qualname__", None) or type(args.object).__qualname__  # its repr may raise again
    log.error("%s: %s", args.err_msg or "exception ignored in", where, exc_info=_exc_info(args))


def _log_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit:  # how a thread may end itself
        return
    name = "?" if args.thread is None else args.thread.name
    log.error("thread %s has ended with an exception", name, exc_info=_exc_info(args))


def _exc_info(
    args: UnraisableHookArgs | threading.ExceptHookArgs,
) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Return what logging takes; given the exception alone, it would read an attribute that its class may redefine."""
    error = args.exc_value if args.exc_value is not None else args.exc_type()
    return args.exc_type, error, args.exc_traceback
