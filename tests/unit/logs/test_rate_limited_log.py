"""Log lines that anybody can cause at any rate: once a second, with the number of those held back."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[3]


def test_a_message_is_held_back_for_a_second_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 10.0
    rate_limited = RateLimitedLog(logging.getLogger("corepool.test"), lambda: now)
    for each in range(3):
        rate_limited.warn("late by %d", each)
    now += 0.999
    rate_limited.warn("late by %d", 3)
    now += 0.001
    rate_limited.warn("late by %d", 4)
    now += 1
    rate_limited.warn("late by %d", 5)

    assert caplog.messages == ["late by 0 suppressed=0", "late by 4 suppressed=3", "late by 5 suppressed=0"]


def test_one_message_does_not_hold_back_another(caplog: pytest.LogCaptureFixture) -> None:
    rate_limited = RateLimitedLog(logging.getLogger("corepool.test"), lambda: 10.0)
    rate_limited.warn("first")
    rate_limited.error("second")
    try:
        int("none")
    except ValueError:
        rate_limited.exception("third of %s", "three")
        rate_limited.exception("third of %s", "three")

    assert caplog.messages == ["first suppressed=0", "second suppressed=0", "third of three suppressed=0"]
    assert caplog.text.count("ValueError: invalid") == 1


UNLIMITED = {
    "corepool/worker/drain.py": 2,  # each once a drain
    "corepool/worker/loop.py": 1,  # an application's own
    "corepool/worker/main.py": 4,  # once in a worker's life; the fourth, of hooks, is a plugin's own
    "corepool/worker/service.py": 2,  # once; and a plugin's own
    "corepool/streams/asynchronous.py": 1,  # once in a worker's life
    "corepool/streams/blocking.py": 2,  # the same, and a handler's own
    "corepool/streams/threads.py": 1,  # a handler's own
}
"""How many lines at warning or above a file writes without a limit, and why that is right."""


def test_what_clients_and_the_system_cause_is_limited() -> None:
    found = {
        str(path.relative_to(ROOT)): count
        for folder in ("corepool/worker", "corepool/streams")
        for path in sorted((ROOT / folder).glob("*.py"))
        if (count := len(re.findall(r"\blog\.(?:warning|error|exception|critical)\(", path.read_text())))
    }

    assert found == UNLIMITED, "a new line: may a client cause it at any rate? Then use corepool.logs.rate_limited"
