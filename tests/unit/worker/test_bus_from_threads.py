"""The bus is asked from threads, while the loop changes it: as by WSGI, and by the thread in which kv commits."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from played_bus import PlayedMaster, PlayedWorker

from corepool.testing.waiting import DEADLINE_S
from corepool.worker.bus_topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corepool.ipc.messages import JoinBus
    from corepool.worker.bus_topics import Listener


class Watched(PlayedWorker):
    """Keeps the threads in which the master was told something."""

    def _say(self, message: JoinBus, fds: Sequence[int]) -> bool:
        self.said_in = {*getattr(self, "said_in", ()), threading.get_ident()}
        return super()._say(message, fds)


@pytest.fixture
def master() -> Iterator[PlayedMaster]:
    master = PlayedMaster()
    yield master
    master.close()


@pytest.fixture
def _switching() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@contextmanager
def asking(worker: PlayedWorker, topic: str) -> Iterator[list[Exception]]:
    """Have a thread count subscribers meanwhile."""
    failed: list[Exception] = []
    is_over = threading.Event()

    def ask() -> None:
        try:
            while not is_over.is_set():
                assert worker.bus.subscribers(topic) >= 0
        except Exception as error:  # noqa: BLE001  # for the test
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failed
    finally:
        is_over.set()
        thread.join()


def test_a_listener_that_comes_while_a_thread_counts_gets_its_messages(
    master: PlayedMaster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = PlayedWorker(master, 10_000)
    has_found, may_go_on = threading.Event(), threading.Event()
    find = Topics.find

    def find_slowly(topics: Topics, topic: bytes) -> tuple[Listener, ...]:
        found = find(topics, topic)
        if threading.current_thread() is thread:
            has_found.set()
            assert may_go_on.wait(DEADLINE_S)
        return found

    monkeypatch.setattr(Topics, "find", find_slowly)
    thread = threading.Thread(target=worker.bus.subscribers, args=("t",))
    thread.start()
    assert has_found.wait(DEADLINE_S)
    got: list[bytes] = []
    worker.bus.listen(lambda _, data: got.append(data), ["t"])
    may_go_on.set()
    thread.join()

    worker.bus.publish("t", b"hello")
    worker.turn()
    worker.kill()
    assert got == [b"hello"]


@pytest.mark.usefixtures("_switching")
def test_workers_come_and_go_while_a_thread_counts(master: PlayedMaster) -> None:
    asked = Watched(master, 10_000)
    with asking(asked, "t") as failed:
        for _ in range(100):
            other = PlayedWorker(master, 10_000)
            other.bus.listen(lambda *_: None, ["t"])
            for _ in range(5):
                master.turn()
                asked.turn()
                other.turn()
            other.kill()
    assert asked.said_in == {threading.get_ident()}
    asked.kill()
    assert failed == []
