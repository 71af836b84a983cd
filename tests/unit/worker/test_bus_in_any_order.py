"""The bus under any order of subscriptions, publications, stops, deaths, reloads and upgrades.

Workers and masters are played in this process, over real sockets. The messages that a subscription gets are compared
with those that were published while it was active: they come in order, none twice, and missing ones were reported.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from played_bus import PlayedMaster, PlayedWorker, open_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUE_BYTES = 200_000
MAX_WORKERS, MAX_MASTERS = 5, 3
WHICH = st.integers(0, 60)
TOPICS = st.sampled_from(["a", "a.b", "a.b.c", "b"])
PATTERNS = st.sampled_from(["a", "a.b", "b", "a*", "a.*", "*"])
SIZES = st.sampled_from([10, 10, 10, 1000, 59_990, 70_000])


class Published(NamedTuple):
    """One message."""

    publisher: int
    number: int
    topic: bytes


class Subscribed:
    """One subscription, and all that it should get."""

    def __init__(self, worker: PlayedWorker, pattern: str) -> None:
        self.worker = worker
        self.pattern = pattern.encode()
        self.got: list[Published] = []
        self.lost = 0
        self.due: list[Published] = []
        """Published while it was active, by workers that were alive until all was sent."""
        self.possible: set[Published] = set()
        """Others that it may get."""
        self.is_open = True
        star = self.pattern.endswith(b"*")
        topics, prefixes = ((), (self.pattern[:-1],)) if star else ((self.pattern,), ())
        self.listening = worker.bus.listen(self._take, topics, prefixes, self._lose)

    def wants(self, topic: bytes) -> bool:
        star = self.pattern.endswith(b"*")
        return topic.startswith(self.pattern[:-1]) if star else topic == self.pattern

    def _take(self, topic: bytes, data: bytes) -> None:
        assert self.is_open
        publisher, number = data.split(b" ")[:2]
        self.got.append(Published(int(publisher), int(number), topic))

    def _lose(self, count: int) -> None:
        self.lost += count


class AnyOrder(RuleBasedStateMachine):
    """The bus, and the messages published on it."""

    def __init__(self) -> None:
        super().__init__()
        self.descriptors = open_descriptors()
        self.masters = [PlayedMaster()]
        self.numbers: dict[PlayedWorker, int] = {}
        self.stopped: set[PlayedWorker] = set()
        self.published: defaultdict[PlayedWorker, int] = defaultdict(int)
        self.subscribed: list[Subscribed] = []
        self.messages: list[Published] = []
        for _ in range(3):
            self.fork()

    def alive(self, which: int) -> PlayedWorker:
        alive = [worker for worker in self.numbers if worker.is_alive]
        return alive[which % len(alive)]

    @precondition(lambda self: len(self.numbers) < MAX_WORKERS)
    @rule()
    def fork(self) -> None:
        self.numbers[PlayedWorker(self.masters[-1], QUEUE_BYTES)] = len(self.numbers)

    @rule(which=WHICH, pattern=PATTERNS)
    def subscribe(self, which: int, pattern: str) -> None:
        worker = self.alive(which)
        self.subscribed.append(Subscribed(worker, pattern))
        # Those of others may be on their way; those of its own worker are not for it.
        earlier = (each for each in self.messages if each.publisher != self.numbers[worker])
        self.subscribed[-1].possible.update(earlier)

    @precondition(lambda self: len(self.subscribed) > 3)
    @rule(which=WHICH)
    def unsubscribe(self, which: int) -> None:
        subscription = self.subscribed[which % len(self.subscribed)]
        subscription.is_open = False
        subscription.listening.close()

    @rule(which=WHICH, topic=TOPICS, size=SIZES, count=st.sampled_from([1, 1, 3, 12]))
    def publish(self, which: int, topic: str, size: int, count: int) -> None:
        worker = self.alive(which)
        publisher = self.numbers[worker]
        for _ in range(count):
            self.published[worker] += 1
            message = Published(publisher, self.published[worker], topic.encode())
            self.messages.append(message)
            for each in self.subscribed:
                if each.is_open and each.worker.is_alive and each.wants(message.topic):
                    # In its own worker it is active at once.
                    is_sure = each.listening.is_active or each.worker is worker
                    (each.due.append if is_sure else each.possible.add)(message)
            worker.bus.publish(topic, f"{publisher} {message.number} ".encode().ljust(size, b"."))

    @rule(which=WHICH)
    def turn(self, which: int) -> None:
        worker = self.alive(which)
        if worker not in self.stopped:
            worker.turn()

    @rule()
    def masters_turn(self) -> None:
        for master in self.masters:
            master.turn()

    @rule(which=WHICH)
    def stop_or_continue(self, which: int) -> None:
        """Send it a SIGSTOP, or a SIGCONT."""
        self.stopped ^= {self.alive(which)}

    @precondition(lambda self: len(self.numbers) >= MAX_WORKERS)
    @rule(which=WHICH, is_killed=st.booleans())
    def end(self, which: int, is_killed: bool) -> None:  # noqa: FBT001
        """Kill a worker, or have it leave, as at a reload: the others read meanwhile, except those that are stopped."""
        worker = self.alive(which)
        if not is_killed and not self.stopped:
            self.settle()
            worker.leave()
        elif is_killed:
            worker.kill()
            for each in self.subscribed:  # what it has not sent is gone
                mine = {message for message in each.due if message.publisher == self.numbers[worker]}
                each.due = [message for message in each.due if message not in mine]
                each.possible |= mine
        if not worker.is_alive:
            replacement = PlayedWorker(self.masters[-1], QUEUE_BYTES)
            self.numbers[replacement] = len(self.numbers)

    @precondition(lambda self: len(self.masters) < MAX_MASTERS)
    @rule()
    def upgrade(self) -> None:
        self.masters.append(self.masters[-1].upgrade())

    @rule()
    def settle(self) -> None:
        """Let all have their turns until nothing changes."""
        quiet = 0
        while quiet < 6:
            before = [(len(each.got), each.lost) for each in self.subscribed]
            for master in self.masters:
                master.turn()
            for worker in self.numbers:
                if worker.is_alive and worker not in self.stopped:
                    worker.turn()
            quiet = quiet + 1 if [(len(each.got), each.lost) for each in self.subscribed] == before else 0

    @invariant()
    def order_holds_and_nothing_comes_twice(self) -> None:
        for each in self.subscribed:
            last: defaultdict[tuple[int, bytes], int] = defaultdict(int)
            for message in each.got:
                assert message.number > last[message.publisher, message.topic]
                last[message.publisher, message.topic] = message.number
                assert each.wants(message.topic)

    def teardown(self) -> None:
        self.stopped.clear()
        self.settle()
        for each in self.subscribed:
            if each.is_open and each.worker.is_alive:
                got = set(each.got)
                assert got <= {*each.due, *each.possible}
                missing = [message for message in each.due if message not in got]
                assert len(missing) <= each.lost, f"{missing} are missing, and {each.lost} were reported"
                assert each.lost <= len(missing) + len(each.possible - got)
        for worker in self.numbers:
            if worker.is_alive:
                worker.kill()
        for master in reversed(self.masters):
            master.close()
        assert open_descriptors() == self.descriptors


@pytest.fixture
def small_heap() -> Iterator[None]:
    """Have garbage collected among the objects of this test alone: among all of a run that takes a second."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("caplog", "small_heap")
class TestAnyOrder(AnyOrder.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=80, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck))
