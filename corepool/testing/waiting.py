"""Waiting in tests: for a condition, with a deadline, and never for a fixed time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 60.0
"""Far above what any step takes on a machine whose cores are shared by many, far below a test's own time-out."""

_POLL_S = 0.01  # short beside every deadline; a hundred polls a second cost nothing


def wait_until(condition: Callable[[], object], deadline_s: float = DEADLINE_S, what: str = "") -> None:
    """Return as soon as `condition()` is true; for states that nothing announces.

    :param what: the condition in words, for the error; its source position if empty.
    :raises AssertionError: when it is still false after `deadline_s` seconds.
    """
    give_up = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= give_up:
            code = getattr(condition, "__code__", None)
            where = f"{code.co_filename}:{code.co_firstlineno}" if code else repr(condition)
            raise AssertionError(f"still not after {deadline_s:g} s: {what or where}")
        time.sleep(_POLL_S)
