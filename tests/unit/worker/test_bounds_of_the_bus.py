"""What clients can make the bus keep: a test for each row of bounds.md."""

from __future__ import annotations

import os
import re
import threading
import tracemalloc
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from played_bus import PlayedMaster, PlayedWorker

from corepool.ipc.bus_board import Table
from corepool.worker import bus_topics
from corepool.worker.bus_peer import MAX_FILES, MAX_QUEUE_BYTES
from corepool.worker.bus_subscriptions import BlockingSubscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
MIB = 2**20


class Played:
    """Some workers of one master, whose turns the test gives out."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.master = PlayedMaster()
        stack.callback(self.master.close)
        self._workers: list[PlayedWorker] = []

    def worker(self) -> PlayedWorker:
        worker = PlayedWorker(self.master, MAX_QUEUE_BYTES)
        self._stack.callback(worker.kill)
        self._workers.append(worker)
        return worker

    def acquaint(self, publisher: PlayedWorker) -> None:
        """Have a publisher know all that listen."""
        self.settle()
        publisher.bus.publish("no one listens to it", b"")
        self.settle()

    def settle(self, *but: PlayedWorker) -> None:
        """Let all turn, but some, for longer than anything takes that they have to say to each other."""
        for _ in range(200):
            self.master.turn()
            for worker in self._workers:
                if worker not in but:
                    worker.turn()


class Heard:
    """The messages of a topic that a worker gets, and the number of those that it was told are lost."""

    def __init__(self, worker: PlayedWorker, *topics: str) -> None:
        self.data: list[bytes] = []
        self.lost = 0
        worker.bus.listen(lambda _, data: self.data.append(data), topics, on_lost=self._lose)

    def _lose(self, count: int) -> None:
        self.lost += count


@pytest.fixture
def played() -> Iterator[Played]:
    with ExitStack() as stack:
        yield Played(stack)


def publish_mebibytes(publish: Callable[[str, bytes], int], count: int) -> int:
    """Publish messages of 1 MiB, each of which begins with its number; return how many were dropped for them."""
    return sum(publish("a", b"%4d" % number + bytes(MIB - 4)) for number in range(count))


def numbers(data: list[bytes]) -> list[int]:
    return [int(each[:4]) for each in data]


def test_a_message(played: Played) -> None:
    bus = played.worker().bus
    assert bus.publish(b"t" * 4096, bytes(MIB)) == 0
    with pytest.raises(ValueError, match="4096 bytes at most"):
        bus.publish(b"t" * 4097, b"")
    with pytest.raises(ValueError, match="1048576 bytes at most"):
        bus.publish(b"t", bytes(MIB + 1))


def test_subscriptions_of_a_worker(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bus_topics.MAX_SUBSCRIPTIONS == 1_048_576
    monkeypatch.setattr(bus_topics, "MAX_SUBSCRIPTIONS", 10)
    assert os.fstat(Table().fd).st_size // 1024 == 256
    bus = played.worker().bus
    listening = bus.listen(lambda *_: None, map(str, range(7)), ["p", "q", "r"])
    with pytest.raises(RuntimeError, match="has 10 subscriptions"):
        listening.add(["more"])
    assert bus.subscribers("more") == 0
    listening.remove(["6"])
    listening.add(["more"])
    assert bus.subscribers("more") == 1


def test_topics_whose_listeners_are_remembered() -> None:
    topics = bus_topics.Topics()
    listener = bus_topics.Listener(lambda *_: None)
    topics.add(listener, bus_topics.Patterns.checked((), [""]))
    tracemalloc.start()
    try:
        for number in range(40_000):
            assert topics.route(b"%d" % number) == (listener,)
            if number == 4095:
                whole, _ = tracemalloc.get_traced_memory()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * whole


def test_messages_published_by_threads(played: Played) -> None:
    publisher, other = played.worker(), played.worker()
    here, there = Heard(publisher, "a"), Heard(other, "a")
    played.settle()

    thread = threading.Thread(target=publish_mebibytes, args=(publisher.bus.publish, 40))
    thread.start()
    thread.join()
    assert publisher.bus.lost == 9, "31 MiB, and what each message counts beside its data"
    played.settle()

    assert numbers(here.data) == list(range(9, 40))
    assert here.lost == 9
    assert len(there.data) + there.lost == 40, "more of them were too many for the queue of one worker"
    assert publisher.bus.lost == there.lost


def test_messages_for_the_worker_itself(played: Played) -> None:
    worker = played.worker()
    heard = Heard(worker, "a")
    played.settle()

    assert publish_mebibytes(worker.bus.publish, 40) == 9
    played.settle()

    assert numbers(heard.data) == list(range(9, 40))
    assert heard.lost == worker.bus.lost == 9


def test_messages_for_workers_that_are_not_known_yet(played: Played) -> None:
    publisher, other = played.worker(), played.worker()
    heard, deaf = Heard(other, "a"), Heard(other, "b")
    played.settle(publisher)

    assert publish_mebibytes(publisher.bus.publish, 40) == 9
    played.settle()

    assert numbers(heard.data)[0] == 9
    assert len(heard.data) + heard.lost == 40, "more of them were too many for the queue of one worker"
    assert heard.lost == publisher.bus.lost
    assert deaf.lost == 0


@pytest.mark.parametrize(("size", "most"), [(1000, MAX_QUEUE_BYTES), (100_000, MAX_FILES * 100_000)])
def test_messages_for_a_worker_that_does_not_read(played: Played, size: int, most: int) -> None:
    publisher, stuck = played.worker(), played.worker()
    heard = Heard(stuck, "a")
    played.acquaint(publisher)

    count = 2 * most // size
    for number in range(count):
        publisher.bus.publish("a", b"%d " % number + bytes(size))
        if not number % 50:
            publisher.turn()
    played.settle(stuck)
    assert publisher.bus.lost > 0
    while len(heard.data) + heard.lost < count:
        played.settle()

    got = [int(each.split()[0]) for each in heard.data]
    assert got == sorted(set(got))
    assert got[-1] == count - 1
    assert heard.lost == publisher.bus.lost
    assert most - 2 * MIB <= len(got) * size <= most + 7 * max(size, 32_768)


def test_losses_that_a_worker_is_told_of(played: Played) -> None:
    publisher, stuck = played.worker(), played.worker()
    topics = [str(number) for number in range(1000)]
    each = [Heard(stuck, topic) for topic in topics]
    played.acquaint(publisher)

    for _ in range(60):
        for topic in topics:
            publisher.bus.publish(topic, bytes(1000))
        publisher.turn()
    lost = publisher.bus.lost
    while sum(len(heard.data) for heard in each) + lost < 60_000:
        played.settle()

    own = [60 - len(heard.data) for heard in each]
    told_beside = [heard.lost - lost for heard, lost in zip(each, own, strict=True)]
    together = max(told_beside)
    assert together > 0
    exact = [beside == together for beside in told_beside]
    assert sum(exact) == 256
    assert sum(lost for lost, is_exact in zip(own, exact, strict=True) if not is_exact) == together


def test_messages_that_a_reader_has_not_taken() -> None:
    subscription = BlockingSubscription(100_000, lambda _: None)
    for number in range(100_010):
        subscription.put(b"a", b"%d" % number)
    first = subscription.get()
    assert first == (b"a", b"10", 10)

    for number in range(40):
        subscription.put(b"a", b"%4d" % number + bytes(MIB - 4))
    subscription.end()
    data = [message.data for message in subscription]
    assert numbers(data) == list(range(8, 40))
    assert subscription.lost == 10 + 99_999 + 8


def test_each_row_of_the_page_has_a_test_here() -> None:
    section = PAGE.read_text().partition("\n## The bus\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    rows = [row for row in rows if not row.startswith("---")]
    assert len(rows) == 9
    assert {f"test_{row.replace(' ', '_')}" for row in rows} <= set(globals())
