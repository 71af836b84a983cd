"""Log lines that clients can cause at any rate: once a second, with the number of those held back."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.logs.event import event
from corepool.logs.rate_limited import RateLimitedLog
from docs.making.events import catalogues

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


@event(logging.WARNING)
def too_late(*, seconds: int) -> None:
    """It comes too late."""


@event(logging.ERROR)
def too_early() -> None:
    """It comes too early."""


def test_an_event_is_held_back_for_a_second_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 10.0
    limited = RateLimitedLog(logging.getLogger("corepool.test"), lambda: now)
    for each in range(3):
        too_late(limited, seconds=each)
    too_early(limited)
    now += 0.999
    too_late(limited, seconds=3)
    now += 0.001
    too_late(limited, seconds=4)
    now += 1
    too_late.exception(limited, ValueError("on purpose"), seconds=5)

    assert caplog.messages == [
        "too_late seconds=0 suppressed=0",
        "too_early suppressed=0",
        "too_late seconds=4 suppressed=3",
        "too_late seconds=5 suppressed=0",
    ]
    assert "ValueError: on purpose" in caplog.text
    assert {record.filename for record in caplog.records} == {"test_rate_limited_log.py"}


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


UNCONVERTED = {
    "corepool/worker/drain.py": 2,  # each once a drain
    "corepool/worker/loop.py": 1,  # an application's own
    "corepool/worker/main.py": 4,  # once in a worker's life; the fourth, of hooks, is a plugin's own
    "corepool/worker/service.py": 2,  # once; and a plugin's own
}
"""Records without an event; to become empty."""

UNLIMITED = {
    "handler_failed": "an application's own, with its traceback",
    "handlers_cancelled": "once in a worker's life",
    "thread_job_failed": "an application's own, with its traceback",
    "threads_abandoned": "once in a worker's life",
}
"""Events at warning or above that are logged without a limit, and why that is right."""


def test_events_that_clients_and_the_system_cause_are_limited() -> None:
    called = {
        name
        for folder in ("corepool/worker", "corepool/streams")
        for path in sorted((ROOT / folder).glob("*.py"))
        for name in re.findall(r"\bevents\.(\w+)(?:\.\w+)?\(\s*log\b", path.read_text())
    }
    events = {each.name: each for catalogue in catalogues().values() for each in catalogue}

    found = {name for name in called if events[name].level >= logging.WARNING}

    assert found == UNLIMITED.keys(), "may a client cause it at any rate? Then log it through a RateLimitedLog"


def test_records_without_an_event_become_fewer() -> None:
    found = {
        str(path.relative_to(ROOT)): count
        for folder in ("corepool/worker", "corepool/streams")
        for path in sorted((ROOT / folder).glob("*.py"))
        if (count := len(re.findall(r"\blog\.(?:warning|error|exception|critical)\(", path.read_text())))
    }

    assert sum(found.values()) <= sum(UNCONVERTED.values())
