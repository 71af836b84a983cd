"""The bus in a process without descriptors for a while, when the master tells it of others; and in one that ends."""

from __future__ import annotations

import os
import resource
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from played_bus import PlayedMaster, PlayedWorker, open_descriptors

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def no_descriptor_left(but: int = 0) -> Iterator[None]:
    """Be at the limit of descriptors, but for some."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, hard))
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for _ in range(but):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in taken:
            os.close(each)


@pytest.mark.parametrize("but", [0, 1, 2, 3])
def test_a_worker_that_could_not_take_others_asks_for_them_again(but: int) -> None:
    descriptors = open_descriptors()
    master = PlayedMaster()
    publisher, *others = (PlayedWorker(master, 100_000) for _ in range(3))
    got: list[bytes] = []
    for each in others:
        each.bus.listen(lambda _, data: got.append(data), ["topic"])
    publisher.bus.publish("topic", b"first")  # and so it asks
    master.turn()
    with no_descriptor_left(but):
        publisher.turn()

    def turn() -> int:
        """Let all have a turn, and return how many the publisher knows."""
        master.turn()
        for each in (publisher, *others):
            if each.is_alive:
                each.turn()
        publisher.bus.publish("topic", b"later")
        return publisher.bus.subscribers("topic")

    wait_until(lambda: turn() == 2)
    got.clear()
    wait_until(lambda: turn() and len(got) > 5)
    before = open_descriptors()
    publisher.bus._membership._ask_again()  # noqa: SLF001
    wait_until(lambda: turn() and not publisher.bus._membership._unanswered)  # noqa: SLF001
    assert open_descriptors() == before
    assert publisher.bus.subscribers("topic") == 2
    others[0].kill()
    wait_until(lambda: turn() == 1)
    for each in (publisher, others[1]):
        each.kill()
    master.close()
    assert open_descriptors() == descriptors


def test_a_thread_that_subscribes_while_its_worker_ends_does_not_wait_for_ever() -> None:
    master = PlayedMaster()
    worker = PlayedWorker(master, 100_000)
    raised: list[Exception] = []

    def subscribe() -> None:
        try:
            worker.bus.subscribe_in_thread("topic")
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=subscribe)
    thread.start()
    wait_until(lambda: worker.bus._calls._calls, what="the thread waits for the loop")  # noqa: SLF001
    worker.leave()
    thread.join(DEADLINE_S)
    assert "has ended" in str(raised[0])
    master.close()


def test_subscriptions_are_told_of_what_was_lost_before_it_came_to_the_bus() -> None:
    master = PlayedMaster()
    bridge, other = (PlayedWorker(master, 100_000) for _ in range(2))
    told: dict[str, list[int]] = {name: [] for name in ("here", "there", "wider", "elsewhere")}
    heard: list[bytes] = []
    bridge.bus.listen(lambda *_: None, ["room.a"], on_lost=told["here"].append)
    other.bus.listen(lambda _, data: heard.append(data), ["room.a"], on_lost=told["there"].append)
    other.bus.listen(lambda *_: None, [], ["ro"], on_lost=told["wider"].append)
    other.bus.listen(lambda *_: None, ["news"], ["news."], on_lost=told["elsewhere"].append)

    def turn() -> bool:
        master.turn()
        for each in (bridge, other):
            each.turn()
        return bridge.bus.subscribers("room.a") == 2 + 1

    wait_until(turn)
    bridge.bus.lose(3, ["sport"], ["room."])
    bridge.bus.publish("room.a", b"behind")
    wait_until(lambda: (turn(), heard == [b"behind"])[1])
    assert told == {"here": [3], "there": [3], "wider": [3], "elsewhere": []}
    for each in (bridge, other):
        each.kill()
    master.close()
