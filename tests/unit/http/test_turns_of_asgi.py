"""The timer that sees an ASGI application keep the loop: it says so of long turns only, and sleeps without requests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from corepool_http.apps.asgi_slow import SlowTurns

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class PlayedLoop:
    """A clock that the test moves, and the timer that is due next."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Any:
        due = self.now + delay_s
        self.timers.append((due, call))
        return SimpleNamespace(when=lambda: due, cancel=self.timers.clear)

    def pass_time(self, seconds: float) -> None:
        """Let time pass without a turn, and then have one."""
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        for timer in due:
            self.timers.remove(timer)
            timer[1]()


def test_only_a_turn_that_is_too_long_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    loop, running = PlayedLoop(), {"one"}
    slow = SlowTurns(cast("Any", loop), 0.25, running)
    slow.last = cast("Any", SimpleNamespace(describe=lambda: "GET /a"))
    slow.start()
    for seconds in (0.05, 0.06, 0.25, 0.05):
        loop.pass_time(seconds)
    assert caplog.text == ""
    loop.pass_time(0.31)
    assert "loop_blocked" in caplog.text
    assert "GET /a" in caplog.text
    running.clear()
    loop.pass_time(0.05)
    assert (loop.timers, slow.timer, slow.last) == ([], None, None), "it keeps no worker awake, and no request"


def test_nothing_is_left_when_the_worker_ends() -> None:
    loop = PlayedLoop()
    slow = SlowTurns(cast("Any", loop), 0.25, {"one"})
    slow.start()
    slow.close()
    assert loop.timers == []
