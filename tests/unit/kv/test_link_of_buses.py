"""The numbers of messages between hosts, and the choice of the one bridge of a bus."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.bus_link import election
from corepool_kv.bus_link.election import Election
from corepool_kv.bus_link.frames import MAX_ORIGINS, Frame, Numbers, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ORIGIN = b"o" * 16


@given(
    st.binary(min_size=16, max_size=16), st.integers(0, 2**64 - 1), st.binary(max_size=4096), st.binary(max_size=100)
)
def test_a_frame_comes_out_as_it_went_in(origin: bytes, number: int, topic: bytes, data: bytes) -> None:
    frame = Frame(origin, number, topic, data if topic else b"")
    packed = pack(frame)
    assert unpack(packed) == frame
    for end in range(min(len(packed) - len(frame.data), 40)):
        assert unpack(packed[:end]) is None
    assert unpack(b"\1" + packed[1:]) is None


@given(st.lists(st.sampled_from(["arrives", "arrives", "lost", "beat", "lost beat"]), max_size=60))
def test_what_has_not_arrived_is_counted_once(steps: list[str]) -> None:
    numbers = Numbers({})
    numbers.take(Frame(ORIGIN, 5))
    number, unknown, told = 5, 0, 0
    for step in steps:
        number += step in ("arrives", "lost")
        unknown += step == "lost"
        if step in ("arrives", "beat"):
            told += numbers.take(Frame(ORIGIN, number, b"t" if step == "arrives" else b""))
            assert told == unknown
    assert told <= unknown


def test_a_pool_that_was_never_heard_of_has_lost_nothing_and_their_number_is_bounded() -> None:
    numbers = Numbers({})
    for origin in range(MAX_ORIGINS + 10):
        assert numbers.take(Frame(origin.to_bytes(16), 1000, b"t")) == 0
    assert numbers.take(Frame((MAX_ORIGINS + 9).to_bytes(16), 1003, b"t")) == 2
    assert numbers.take(Frame((MAX_ORIGINS + 9).to_bytes(16), 1001, b"t")) == 0, "one that is late"
    assert Numbers({ORIGIN: 7}).take(Frame(ORIGIN, 9)) == 2, "known from the worker before"


class Time:
    """A loop, and a bus on which all messages take a while."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._heard: list[tuple[Listening, Callable[[bytes, bytes], object]]] = []

    def call_later(self, seconds: float, call: Callable[..., object], *args: object) -> Timer:
        timer = Timer(call, args)
        heapq.heappush(self._calls, (self.now + seconds, next(self._numbers), timer))
        return timer

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            self.now, _, timer = heapq.heappop(self._calls)
            if not timer.is_cancelled:
                timer.call(*timer.args)
        self.now = end

    def listen(self, call: Callable[[bytes, bytes], object], topics: Iterable[bytes]) -> Listening:  # noqa: ARG002
        listening = Listening(self)
        self._heard.append((listening, call))
        return listening

    def publish(self, topic: bytes, data: bytes) -> None:
        for listening, call in self._heard:
            if not listening.is_closed:
                self.call_later(0.01, self._deliver, listening, call, topic, data)

    @staticmethod
    def _deliver(listening: Listening, call: Callable[[bytes, bytes], object], topic: bytes, data: bytes) -> None:
        if not listening.is_closed:
            call(topic, data)


class Timer:
    def __init__(self, call: Callable[..., object], args: tuple[object, ...]) -> None:
        self.call = call
        self.args = args
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Listening:
    def __init__(self, time: Time) -> None:
        self._time = time
        self.is_closed = False

    def when_active(self, call: Callable[[], None]) -> None:
        self._time.call_later(0.001, call)

    def close(self) -> None:
        self.is_closed = True


def a_candidate(time: Time) -> Election:
    loop: Any = time
    return Election(loop, loop, b"topic", lambda: None, lambda: None)


@given(st.lists(st.tuples(st.floats(0, 2), st.sampled_from(["begin", "end", "wait"])), max_size=20))
def test_there_is_one_bridge_in_the_end(steps: list[tuple[float, str]]) -> None:
    time = Time()
    candidates: list[Election] = []
    for seconds, step in steps:
        if step == "begin":
            candidates.append(a_candidate(time))
        elif step == "end" and candidates:
            candidates.pop(0).close()
        time.run(seconds)
    time.run(election.SILENCE_S + 3 * election.ANSWER_S + election.BEAT_S)
    assert sum(each.is_bridge for each in candidates) == bool(candidates)


def test_a_bridge_stays_when_others_come_and_goes_over_when_it_ends() -> None:
    time = Time()
    first = a_candidate(time)
    time.run(0.2)
    others = [a_candidate(time) for _ in range(3)]
    time.run(5)
    assert [each.is_bridge for each in (first, *others)] == [True, False, False, False]
    first.close()
    time.run(election.SILENCE_S + 2 * election.ANSWER_S + election.BEAT_S)
    assert [each.is_bridge for each in others].count(True) == 1
