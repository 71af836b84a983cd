"""A bounded store: what it evicts, what it refuses, and that it keeps to its bound."""

from __future__ import annotations

import random
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from corepool import ListenerInfo
from corepool.hot.reactor import Reactor
from corepool.testing.failures import Failures
from corepool.testing.loop import SteppedLoop
from corepool.testing.worker_here import WorkerHere
from corepool_kv.engine.engine import Engines
from corepool_kv.engine.errors import OutOfRoomError
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.lists import List
from corepool_kv.engine.room import used_bytes
from corepool_kv.stores import FullError
from corepool_kv.stores.options import StoreOptions, make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.stores import StoreError

MIB = 1 << 20
STEP_MS = 40


class Time:
    """The time of day of the engine, which stands still unless it is moved."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000


class Store:
    """A store that is written and read as by one client."""

    def __init__(self, engine: Engine, worker: WorkerHere, time: Time) -> None:
        self.engine = engine
        self.time = time
        self.waiting: list[Work] = []
        self.limits = Limits(engine.max_key_bytes, 64 * MIB, 64 * MIB)
        self._worker = worker
        self._replies: list[bytes] = []

    def run(self, *works: Callable[[Keyspace], object]) -> list[bytes]:
        """Run works as commands that may grow, in one transaction; return a reply to each."""

        def as_command(work: Callable[[Keyspace], object]) -> Work:
            def run(db: Keyspace) -> bytes:
                try:
                    db.check_growth()
                except OutOfRoomError:
                    return b"F"
                work(db)
                return b"."

            return run

        for work in works:
            self.engine.execution.submit(self, as_command(work))
        self.settle()
        replies = [bytes((byte,)) for byte in b"".join(self._replies)]
        self._replies.clear()
        return replies

    def settle(self) -> None:
        loop: Any = self._worker.loop
        loop.reactor.poll(0)

    def put(self, key: bytes, value: bytes, expires_ms: int = 0) -> bytes:
        self.time.now_ms += STEP_MS
        (reply,) = self.run(lambda db: db.put(key, value, expires_ms))
        return reply

    def delete(self, key: bytes) -> None:
        self.engine.execution.submit(self, lambda db: b"." if db.delete(key) else b"-")
        self.settle()
        assert self._replies.pop() == b"."

    def read(self, look: Callable[[Keyspace], Any]) -> Any:
        try:
            return look(self.engine.execution.read(self.limits))
        finally:
            self.engine.execution.end_event()

    def get(self, key: bytes) -> bytes | None:
        found: bytes | None = self.read(lambda db: db.get(key))
        return found

    def has(self, key: bytes) -> bool:
        return bool(self.read(lambda db: db.peek(key)) is not None)

    def count(self) -> int:
        return int(self.read(lambda db: db.view.count()))

    def used(self) -> int:
        return int(self.read(used_bytes))

    def answer(self, replies: bytes) -> None:
        self._replies.append(replies)
        if self.waiting:
            self.engine.execution.schedule(self)

    def explain(self, error: StoreError, commands: int) -> bytes:
        return (b"F" if isinstance(error, FullError) else b"E") * commands


@contextmanager
def opened(place: str, eviction: str, max_bytes: int) -> Iterator[Store]:
    random.seed(25)
    time = Time()
    failures = Failures()
    loop = SteppedLoop(Reactor())
    worker = WorkerHere(loop, ListenerInfo("kv", "kv", ("tcp://127.0.0.1:6379",)), failures)
    engines = worker.shared(Engines)
    options: Any = {"store": place, "eviction": eviction, "max_bytes": max_bytes, "durability": "never"}
    with closing(loop):
        engine = engines.join(make_store(StoreOptions(**options)), worker)
        engine.execution.clock = lambda: time.now_ms
        try:
            yield Store(engine, worker, time)
        finally:
            engines.leave(engine)
    failures.raise_first()


@pytest.fixture(params=["memory:", "lmdb:"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"lmdb:{tmp_path}/data" if request.param == "lmdb:" else str(request.param)


def test_what_was_used_recently_stays(place: str) -> None:
    with opened(place, "allkeys-lru", 2 * MIB) as store:
        hot = [b"hot-%d" % number for number in range(100)]
        for key in hot:
            store.put(key, b"x" * 500)
        for number in range(4000):
            assert store.put(b"cold-%d" % number, b"x" * 500) == b"."
            store.get(hot[number % len(hot)])
        kept = sum(map(store.has, hot))
        young, old = (
            sum(store.has(b"cold-%d" % number) for number in numbers) for numbers in (range(3700, 4000), range(300))
        )

        assert kept >= 95, "those that are read again and again"
        assert young >= 255, "those that were written last"
        assert old <= 15, "those that were written first"
        assert store.count() > 500, "the room is used"
        assert store.engine.room.evicted == 4100 - store.count()


def test_without_reads_the_same_keys_go(place: str) -> None:
    with opened(place, "allkeys-lru", 2 * MIB) as store:
        for number in range(4000):
            store.put(b"hot-%d" % number, b"x" * 500)

        assert not any(store.has(b"hot-%d" % number) for number in range(100))


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-random", "volatile-ttl"])
def test_keys_without_an_expiry_stay_under_volatile_policies(place: str, policy: str) -> None:
    with opened(place, policy, 2 * MIB) as store:
        later = store.time.now_ms + 10**9
        for number in range(300):
            store.put(b"kept-%d" % number, b"x" * 500)
        for number in range(2500):
            assert store.put(b"leaves-%d" % number, b"x" * 500, later + number % 100 * 1000) == b"."
        assert all(store.has(b"kept-%d" % number) for number in range(300))
        if policy == "volatile-ttl":
            left = [n for n in range(2500) if store.has(b"leaves-%d" % n)]
            assert min(number % 100 for number in left if number < 2300) > 20
        replies = {store.put(b"more-%d" % number, b"x" * 500) for number in range(3000)}
        assert replies == {b".", b"F"}, "when none is left that expires, writes are refused"
        assert not any(store.has(b"leaves-%d" % number) for number in range(2500))
        assert all(store.has(b"kept-%d" % number) for number in range(300))


def test_noeviction_refuses_what_may_grow_and_nothing_else(place: str) -> None:
    with opened(place, "noeviction", MIB) as store:
        written = 0
        while store.put(b"%d" % written, b"x" * 2000) == b".":
            written += 1
        assert store.count() == written
        assert store.get(b"0") == b"x" * 2000
        for number in range(100):
            store.delete(b"%d" % number)
        assert store.put(b"again", b"x" * 2000) == b"."
        assert store.engine.room.evicted == 0


def test_a_pipeline_into_a_full_store_is_refused_command_by_command(place: str) -> None:
    with opened(place, "noeviction", MIB) as store:
        puts = [lambda db, key=b"%d" % number: db.put(key, b"x" * 9000) for number in range(200)]
        store.run(*puts)
        store.run(*puts[:50])
        while store.put(b"last", b"x" * 9000) == b".":
            store.put(b"%d" % store.count(), b"x" * 9000)
        store.engine.execution.submit(store, lambda db: b"." if db.delete(b"last") else b"-")
        assert store.run(*puts) == [b"."] + [b"F"] * 200


def test_large_values_keep_to_the_bound(tmp_path: Path) -> None:
    with opened(f"lmdb:{tmp_path}/data", "allkeys-lru", 16 * MIB) as store:
        for number in range(300):
            size = random.choice((100, 5000, 300_000, 1_000_000))  # noqa: S311
            assert store.put(b"%d" % number, b"x" * size) == b"."
            assert store.has(b"%d" % number)
            assert (tmp_path / "data" / "data.mdb").stat().st_size <= 16 * MIB
        assert store.used() > 8 * MIB


def test_a_collection_goes_as_a_whole(place: str) -> None:
    def fill(name: bytes) -> Callable[[Keyspace], None]:
        def work(db: Keyspace) -> None:
            each = List.open(db, name)
            for _ in range(500):
                each.push(b"x" * 100, left=False)
            each.save()

        return work

    with opened(place, "allkeys-lru", 2 * MIB) as store:
        for number in range(100):
            store.time.now_ms += STEP_MS
            assert store.run(fill(b"list-%d" % number)) == [b"."]
        left = [number for number in range(100) if store.has(b"list-%d" % number)]
        lengths = {store.read(lambda db, key=b"list-%d" % number: len(List.open(db, key))) for number in left}

        assert lengths == {500}
        assert 5 <= len(left) < 40
        assert sum(left) / len(left) > 75, "the youngest are left"


def test_a_bound_that_is_lowered_is_kept_without_writes(place: str) -> None:
    with opened(place, "noeviction", 16 * MIB) as store:
        for number in range(60):
            store.run(*[lambda db, key=b"%d-%d" % (number, each): db.put(key, b"x" * 1000) for each in range(100)])
        before = store.used()
        assert before > 5 * MIB
        store.engine.configure_room(2 * MIB, "allkeys-random")
        loop: Any = store._worker.loop  # noqa: SLF001
        store.engine._look_for_room()  # noqa: SLF001  # as once a second
        while store.engine._evicting.waiting:  # noqa: SLF001
            store.settle()
            loop.turn()

        assert store.used() <= 2 * MIB
        assert store.engine.room.evicted > 3000
        assert store.engine.room.access is None


def test_a_value_above_the_bound_does_not_empty_the_store(place: str) -> None:
    with opened(place, "allkeys-lru", 2 * MIB) as store:
        for number in range(1000):
            store.put(b"%d" % number, b"x" * 1000)
        before = store.count()
        assert store.put(b"large", b"x" * 3 * MIB) == b"F"
        assert store.count() > before // 4
        assert store.put(b"small", b"x") == b"."
