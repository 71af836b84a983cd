"""The deadline of a connection in each phase of a request, under any order of events."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corepool_http.http1 import deadlines
from corepool_http.http1.deadlines import Deadlines
from corepool_http.message import Body

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD_S, BODY_S, KEEP_ALIVE_S = 15.0, 30.0, 75.0
PIECE = 65_536


class Clock:
    """Time, and the one timer of a connection."""

    def __init__(self) -> None:
        self.now = 5000.0
        self.fires_at = math.inf

    def monotonic(self) -> float:
        return self.now

    def deadline(self, seconds: float) -> None:
        assert seconds >= 0
        self.fires_at = self.now + seconds

    def fire(self, on: Deadlines) -> bool:
        """Call it as the driver does, at the timer's moment."""
        self.now = max(self.now, self.fires_at)
        self.fires_at = on.armed = math.inf
        return on.has_passed()


def options(**changed: float) -> Any:
    return SimpleNamespace(**{"header_timeout": HEAD_S, "body_timeout": BODY_S, "keep_alive": KEEP_ALIVE_S, **changed})


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with mock.patch.object(deadlines, "time", clock):
        yield clock


def make(clock: Clock, waited_s: float = 0.0, **changed: float) -> Deadlines:
    conn: Any = clock
    return Deadlines(conn, options(**changed), waited_s)


@pytest.mark.parametrize(
    ("changed", "waited_s", "expected"),
    [
        ({}, 0.0, KEEP_ALIVE_S),
        ({}, 70.0, KEEP_ALIVE_S - 70.0),
        ({}, 1000.0, 0.0),
        ({"keep_alive": 0.0}, 0.0, HEAD_S),
    ],
)
def test_the_first_request_is_waited_for(
    clock: Clock, changed: dict[str, float], waited_s: float, expected: float
) -> None:
    """Time in another worker counts; without keep-alive, it may take as long as a head."""
    on = make(clock, waited_s, **changed)

    assert clock.fires_at == clock.now + expected
    assert clock.fire(on)


def test_a_head_has_its_time_from_its_first_byte_on(clock: Clock) -> None:
    on = make(clock)
    clock.now += 60.0
    on.expect_head()

    assert clock.fires_at == clock.now + HEAD_S
    assert on.began_s(clock.now + HEAD_S) == clock.now
    assert clock.fire(on)


def test_the_beginning_of_a_request_that_has_not_begun_is_now(clock: Clock) -> None:
    on = make(clock)

    assert on.began_s(clock.now + 7.0) == clock.now + 7.0


def test_content_has_its_time_for_each_piece_and_no_more_for_single_bytes(clock: Clock) -> None:
    on = make(clock)
    body = Body()
    on.expect_content(body)
    began = clock.now
    for _ in range(29):
        clock.now += 1.0
        body.received += 1
        on.expect_content(body)
    assert on.due == began + BODY_S

    body.received = PIECE - 1
    on.expect_content(body)
    assert on.due == began + BODY_S
    body.received = PIECE
    on.expect_content(body)
    assert on.due == clock.now + BODY_S
    assert clock.fire(on) is False, "the timer was set for the first piece"
    assert clock.fire(on) is True


def test_content_of_the_next_request_has_a_time_of_its_own(clock: Clock) -> None:
    on = make(clock)
    on.expect_content(Body())
    clock.now += 20.0
    on.expect_content(Body())

    assert on.due == clock.now + BODY_S


def test_content_that_the_application_has_kept_waiting_has_its_time_anew(clock: Clock) -> None:
    on = make(clock)
    body = Body()
    on.expect_content(body)
    on.suspend()
    assert clock.fire(on) is False
    assert clock.fires_at == math.inf, "no client is late now"
    clock.now += 1000.0
    on.expect_content(body)

    assert clock.fires_at == on.due == clock.now + BODY_S


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, the timer fires no later than the client is late, and a client that isn't is not ended."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.patch = mock.patch.object(deadlines, "time", self.clock)
        self.patch.start()
        self.body = Body()
        self.is_over = False

    def teardown(self) -> None:
        self.patch.stop()

    @initialize(waited_s=st.floats(0, 100))
    def begin(self, waited_s: float) -> None:
        self.on = make(self.clock, waited_s)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        """Let time pass; the timer fires meanwhile, as often as it is set."""
        until = self.clock.now + seconds
        while not self.is_over and self.clock.fires_at <= until:
            due = self.on.due
            self.is_over = self.clock.fire(self.on)
            assert self.is_over == (due - self.clock.now <= 0.001)
        self.clock.now = max(self.clock.now, until)

    @precondition(lambda self: not self.is_over)
    @rule()
    def head(self) -> None:
        self.on.expect_head()
        assert self.on.due == self.clock.now + HEAD_S

    @precondition(lambda self: not self.is_over)
    @rule(size=st.integers(0, 3 * PIECE), is_new=st.booleans())
    def content(self, size: int, is_new: bool) -> None:  # noqa: FBT001
        if is_new:
            self.body = Body()
        self.body.received += size
        self.on.expect_content(self.body)
        assert self.on.due <= self.clock.now + BODY_S

    @precondition(lambda self: not self.is_over)
    @rule()
    def application(self) -> None:
        self.on.suspend()

    @precondition(lambda self: not self.is_over)
    @rule()
    def next_request(self) -> None:
        """As the driver does it at the end of each response."""
        self.body = Body()
        self.on.due = self.clock.now + self.on.keep_alive_s
        if self.on.due < self.on.armed:
            self.on.arm()

    @invariant()
    def the_timer_is_set(self) -> None:
        if self.is_over or not hasattr(self, "on"):
            return
        assert self.on.armed == pytest.approx(self.clock.fires_at)
        assert self.clock.fires_at <= self.on.due + 1e-6


TestAnyOrder = AnyOrder.TestCase
