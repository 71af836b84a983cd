"""Handlers and filters that an application adds to the log, and that raise.

A filter that asks for the current request raises outside of one, in lines of the server's own, say; `logging` lets that
out into the code that logs, which may be where nothing is left to catch it.
"""

from __future__ import annotations

import logging

from corepool.guards import HOOK_ERRORS
from corepool.logs import events
from corepool.logs.rate_limited import RateLimitedLog

log = logging.getLogger(__name__)


def contain_handlers() -> None:
    """Log exceptions of handlers and filters for a line of the server or of asyncio; those for an application's own
    lines are raised into it.

    For a process that is the server's. Patched, as by Sentry's client, since these loggers exist already, and have no
    parent in common but the root, which is the application's as well. Idempotent.
    """
    if getattr(logging.Logger.handle, "_contains", False):
        return
    handle = logging.Logger.handle
    rate_limited = RateLimitedLog(log)  # its own line is held back when it fails in turn

    def handle_and_contain(self: logging.Logger, record: logging.LogRecord) -> None:
        try:
            handle(self, record)
        except HOOK_ERRORS as error:
            if not record.name.startswith(("corepool", "asyncio")):
                raise
            events.log_handler_failed.exception(rate_limited, error)

    handle_and_contain._contains = True  # type: ignore[attr-defined]  # noqa: SLF001
    logging.Logger.handle = handle_and_contain  # type: ignore[method-assign]
