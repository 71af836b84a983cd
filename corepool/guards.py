"""The exceptions of plugins and applications that end no more than the call they come from: all of them.

`Exception` is not enough: CancelledError, SystemExit, KeyboardInterrupt, pyo3's PanicException and gevent's Timeout
derive from BaseException alone, and one request that raises them must not end the connections of all clients.

No signal raises KeyboardInterrupt where this is caught: workers and the master's loop have handlers of their own for
SIGINT (worker/process.py, master/signals.py). Code that runs before, such as the import of plugins, lets it pass: there
it is the operator's Ctrl-C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOOK_ERRORS = BaseException
"""Caught around each call of code that is not ours, and logged; the name spares each place the reason."""

_MARK = "_corepool_has_logged"
"""An attribute of exceptions that left a task by way of the loop: the task's owner and asyncio meet them once more."""

_attributes: Callable[[BaseException], dict[str, Any]] = BaseException.__dict__["__dict__"].__get__
"""Not getattr and setattr, which the class of an exception may have redefined, and which may raise."""


def mark_logged(error: BaseException) -> None:
    """Remember that an exception is in the log."""
    _attributes(error)[_MARK] = True


def was_logged(error: BaseException) -> bool:
    """Return whether `mark_logged` was called for an exception."""
    return _MARK in _attributes(error)
