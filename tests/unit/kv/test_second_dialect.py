"""A second dialect needs the engine and nothing else: one that answers as memcached's text protocol does."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from corepool import ListenerInfo
from corepool.hot.reactor import Reactor
from corepool.testing.failures import Failures
from corepool.testing.loop import SteppedLoop
from corepool.testing.worker_here import WorkerHere
from corepool_kv.engine.engine import Engines
from corepool_kv.engine.errors import AbandonedError, HalfDoneError, KeyTooLongError, ValueTooLongError
from corepool_kv.engine.keyspace import Limits
from corepool_kv.stores.options import StoreOptions, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.stores import StoreError


class Memcached:
    """One client of the dialect: it has words of its own for values, flags, versions and errors."""

    def __init__(self, engine: Engine) -> None:
        self._execution = engine.execution
        self.waiting: list[Work] = []
        self.limits = Limits(engine.max_key_bytes, 20, 1000)
        self.received = b""

    def gets(self, key: bytes) -> bytes:
        try:
            record = self._execution.read(self.limits).find(key)
        finally:
            self._execution.end_event()
        if record is None:
            return b"END\r\n"
        head = b"VALUE %b %d %d %d\r\n" % (key, record.flags, len(record.value), record.version)
        return head + record.value + b"\r\nEND\r\n"

    def set(self, key: bytes, flags: int, value: bytes) -> None:
        self._submit(lambda db: self._stored(db, key, flags, value))

    def cas(self, key: bytes, flags: int, version: int, value: bytes) -> None:
        def work(db: Keyspace) -> bytes:
            record = db.find(key)
            if record is None:
                return b"NOT_FOUND\r\n"
            return b"EXISTS\r\n" if record.version != version else self._stored(db, key, flags, value)

        self._submit(work)

    def set_and_abandon(self, key: bytes) -> None:
        def work(db: Keyspace) -> bytes:
            db.put(key, b"half")
            raise AbandonedError(b"SERVER_ERROR abandoned\r\n")

        self._submit(work)

    def set_and_break(self, key: bytes) -> None:
        def work(db: Keyspace) -> bytes:
            db.put(key, b"half")
            raise ZeroDivisionError

        self._submit(work)

    def set_and_fail(self, key: bytes) -> None:
        def work(db: Keyspace) -> bytes:
            db.put(key, b"half")
            raise HalfDoneError(b"SERVER_ERROR half\r\n")

        self._submit(work)

    def answer(self, replies: bytes) -> None:
        self.received += replies
        if self.waiting:
            self._execution.schedule(self)

    def explain(self, error: StoreError, commands: int) -> bytes:
        return (error.reply if isinstance(error, AbandonedError) else b"SERVER_ERROR out of order\r\n") * commands

    def _submit(self, work: Work) -> None:
        self._execution.submit(self, work)

    @staticmethod
    def _stored(db: Keyspace, key: bytes, flags: int, value: bytes) -> bytes:
        try:
            db.put(key, value, 0, flags)
        except KeyTooLongError:
            return b"CLIENT_ERROR bad command line format\r\n"
        except ValueTooLongError:
            return b"SERVER_ERROR object too large for cache\r\n"
        return b"STORED\r\n"


@contextmanager
def running(store: str) -> Iterator[tuple[Engine, WorkerHere]]:
    failures = Failures()
    loop = SteppedLoop(Reactor())
    worker = WorkerHere(loop, ListenerInfo("cache", "memcached", ("tcp://127.0.0.1:11211",)), failures)
    engines = worker.shared(Engines)
    with closing(loop):
        engine = engines.join(make_store(StoreOptions(store=store)), worker)
        try:
            yield engine, worker
        finally:
            engines.leave(engine)
    failures.raise_first()


def end_batch(worker: WorkerHere) -> None:
    assert isinstance(worker.loop, SteppedLoop)
    worker.loop.reactor.poll(0)


@pytest.fixture(params=["memory:", "lmdb:"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"lmdb:{tmp_path}/data" if request.param == "lmdb:" else str(request.param)


def test_flags_and_versions_are_kept(place: str) -> None:
    with running(place) as (engine, worker):
        client, other = Memcached(engine), Memcached(engine)
        assert client.gets(b"a") == b"END\r\n"
        client.set(b"a", 0xFFFFFFFF, b"one")
        end_batch(worker)
        head, value, _ = client.gets(b"a").splitlines()
        version = int(head.split()[-1])
        assert (head.split()[:4], value) == ([b"VALUE", b"a", b"4294967295", b"3"], b"one")
        client.cas(b"a", 1, version, b"two")
        other.cas(b"a", 2, version, b"three")
        other.cas(b"b", 2, version, b"three")
        end_batch(worker)
        assert client.received == b"STORED\r\nSTORED\r\n"
        assert other.received == b"EXISTS\r\nNOT_FOUND\r\n"
        assert client.gets(b"a").startswith(b"VALUE a 1 3 ")


def test_errors_are_in_the_words_of_the_dialect_and_cost_their_client_alone(place: str) -> None:
    with running(place) as (engine, worker):
        clients = [Memcached(engine) for _ in range(4)]
        clients[0].set(b"a", 0, b"x" * 21)
        clients[0].set(b"a", 0, b"fine")
        clients[1].set_and_abandon(b"b")
        clients[2].set_and_break(b"c")
        clients[3].set(b"d", 0, b"fine")
        end_batch(worker)
        assert [client.received for client in clients] == [
            b"SERVER_ERROR object too large for cache\r\nSTORED\r\n",
            b"SERVER_ERROR abandoned\r\n",
            b"SERVER_ERROR out of order\r\n",
            b"STORED\r\n",
        ]
        assert [clients[0].gets(key)[:5] for key in (b"a", b"b", b"c", b"d")] == [
            b"VALUE",
            b"END\r\n",
            b"END\r\n",
            b"VALUE",
        ]


def test_work_that_fails_when_it_is_half_done_costs_itself_alone(place: str) -> None:
    with running(place) as (engine, worker):
        client, other = Memcached(engine), Memcached(engine)
        for number in range(5):
            client.set(b"%d" % number, 0, b"fine")
            client.set_and_fail(b"half %d" % number)
        client.set_and_fail(b"half 5")
        client.set(b"5", 0, b"fine")
        other.set(b"other", 0, b"fine")
        while client.waiting:
            end_batch(worker)
        assert client.received == b"STORED\r\nSERVER_ERROR half\r\n" * 5 + b"SERVER_ERROR half\r\nSTORED\r\n"
        assert other.received == b"STORED\r\n"
        for number in range(6):
            assert client.gets(b"%d" % number).startswith(b"VALUE")
            assert client.gets(b"half %d" % number) == b"END\r\n"


def test_listeners_of_one_store_share_its_engine(tmp_path: Path) -> None:
    options = StoreOptions(store=f"lmdb:{tmp_path}/data")
    with running(options.store) as (engine, worker):
        engines = worker.shared(Engines)
        second = engines.join(make_store(options), worker)
        assert second is engine
        other = engines.join(make_store(StoreOptions(store=f"lmdb:{tmp_path}/other")), worker)
        assert other is not engine
        engines.leave(other)
        engines.leave(second)
        assert Memcached(engine).gets(b"a") == b"END\r\n"  # it is open as long as one listener uses it
    with running(options.store) as (again, _):
        assert again is not engine
        assert Memcached(again).gets(b"a") == b"END\r\n"
