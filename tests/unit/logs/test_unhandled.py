"""Exceptions without a caller, in the log."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from corepool.logs import unhandled
from corepool.logs.rate_limited import RateLimitedLog

if TYPE_CHECKING:
    import pytest


class Fails:
    def __del__(self) -> None:
        raise RuntimeError("in vain")


def test_a_burst_of_ignored_exceptions_is_one_record(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(unhandled, "RateLimitedLog", lambda log: RateLimitedLog(log, lambda: 1.0))  # at one instant
    with caplog.at_level(logging.ERROR, logger="corepool"):
        unhandled.log_unhandled()
        for _ in range(100):
            Fails()

    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["exception_ignored"]
