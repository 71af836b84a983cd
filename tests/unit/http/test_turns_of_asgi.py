"""The log of an ASGI application that keeps the loop: it names the request if that is known, and makes no guess."""

from __future__ import annotations

from time import monotonic
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool_http.apps.asgi_slow import SlowTurns, Steps

if TYPE_CHECKING:
    from collections.abc import Callable


class PlayedWorker:
    """Reports turns when the test does."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[float, float], None]]] = []

    def on_long_turn(self, limit_s: float, call: Callable[[float, float], None]) -> None:
        self.calls.append((limit_s, call))

    def turn(self, seconds: float, began: float | None = None) -> None:
        began = monotonic() if began is None else began
        for limit_s, call in self.calls:
            if seconds > limit_s:
                call(began, seconds)


@pytest.fixture
def worker() -> PlayedWorker:
    return PlayedWorker()


def exchange(name: str) -> Any:
    return SimpleNamespace(describe=lambda: name)


def told(caplog: pytest.LogCaptureFixture) -> list[object]:
    return [cast("Any", record.msg).fields["request"] for record in caplog.records]


def watch(worker: PlayedWorker, *running: str, limit_s: float = 0.25, turns: SlowTurns | None = None) -> Steps:
    steps = (turns or SlowTurns()).watch(cast("Any", worker), limit_s)
    steps.running = {cast("Any", name): exchange(name) for name in running}
    return steps


def test_a_first_step_that_is_too_long_is_known_whatever_else_is_served(
    worker: PlayedWorker, caplog: pytest.LogCaptureFixture
) -> None:
    steps = watch(worker, "GET /events")
    steps.first(exchange("GET /quick"), 0.2)
    assert caplog.records == []
    began = monotonic()
    steps.first(exchange("GET /slow"), 0.3)
    worker.turn(0.3, began)
    assert told(caplog) == ["GET /slow"]


def test_the_only_one_that_may_have_run_is_named(worker: PlayedWorker, caplog: pytest.LogCaptureFixture) -> None:
    steps = watch(worker)
    steps.ended(exchange("GET /"))
    steps.running = {cast("Any", "task"): exchange("GET /socket")}
    worker.turn(0.3)
    assert told(caplog) == ["GET /socket"], "the other one had ended before this turn"


def test_one_that_has_ended_in_the_turn_is_named(worker: PlayedWorker, caplog: pytest.LogCaptureFixture) -> None:
    steps, began = watch(worker), monotonic()
    steps.ended(exchange("GET /slow"))
    worker.turn(0.3, began)
    assert told(caplog) == ["GET /slow"]


def test_of_several_none_is_blamed(worker: PlayedWorker, caplog: pytest.LogCaptureFixture) -> None:
    watch(worker, *(f"GET /{number}" for number in range(6)))
    worker.turn(0.3)
    assert told(caplog) == ["unknown, one of GET /0, GET /1, GET /2, GET /3 and 2 others"]


def test_a_turn_without_requests_is_not_told_of(worker: PlayedWorker, caplog: pytest.LogCaptureFixture) -> None:
    watch(worker)
    worker.turn(9)
    assert caplog.records == []


def test_the_listeners_of_a_worker_are_judged_together_each_by_its_limit(
    worker: PlayedWorker, caplog: pytest.LogCaptureFixture
) -> None:
    turns = SlowTurns()
    watch(worker, "GET /patient", limit_s=5, turns=turns)
    watch(worker, "GET /usual", turns=turns)
    worker.turn(0.3)
    assert told(caplog) == ["GET /usual"]
    caplog.clear()
    turns = SlowTurns()
    worker.calls.clear()
    for name in ("GET /a", "GET /b"):
        watch(worker, name, turns=turns)
    worker.turn(0.3)
    assert told(caplog) == ["unknown, one of GET /a, GET /b"], "once"
