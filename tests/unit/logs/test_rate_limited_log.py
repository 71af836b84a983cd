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
        "too_late seconds=0",
        "too_early",
        "too_late seconds=4 suppressed=3",
        "too_late seconds=5",
    ]
    assert "ValueError: on purpose" in caplog.text
    assert {record.filename for record in caplog.records} == {"test_rate_limited_log.py"}


UNLIMITED = {
    "callback_failed": "an application's own, with its traceback",
    "drain_timed_out": "once a drain",
    "handler_failed": "an application's own, with its traceback",
    "handlers_cancelled": "once in a worker's life",
    "hook_failed": "a plugin's own, with its traceback",
    "input_never_read": "once in a listener's life",
    "layer_failed": "a layer's own, with its traceback, for a protocol that has met the connection",
    "moves_failed": "once a drain",
    "state_not_taken": "once for each new state of a transport",
    "tasks_abandoned": "once in a worker's life",
    "thread_job_failed": "an application's own, with its traceback",
    "threads_abandoned": "once in a worker's life",
    "worker_failed": "once in a worker's life",
    "worker_hook_failed": "a plugin's own, with its traceback",
    "worker_orphaned": "once in a worker's life",
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


def test_an_event_may_be_held_back_for_longer(caplog: pytest.LogCaptureFixture) -> None:
    now = 10.0
    limited = RateLimitedLog(logging.getLogger("corepool.test"), lambda: now, interval_s=60.0)
    too_late(limited, seconds=1)
    now += 59.9
    too_late(limited, seconds=2)
    now += 0.1
    too_late(limited, seconds=3)
    assert caplog.messages == ["too_late seconds=1", "too_late seconds=3 suppressed=1"]
