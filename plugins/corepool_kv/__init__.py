"""The kv protocol: a key-value store that nc and every Redis client can speak to, shared by all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool import CloseReason, hookimpl
from corepool_kv.application.calls import CommandError
from corepool_kv.application.store import current_store
from corepool_kv.engine.store_metrics import metrics_of_store
from corepool_kv.redis.options import KvOptions
from corepool_kv.redis.recognition import is_redis
from corepool_kv.serving import Sessions, make_serving
from corepool_kv.stores import Store, StoreError

if TYPE_CHECKING:
    from corepool import Connection, PoolInfo, SharedResource, Worker
    from corepool_kv.redis.session import Session

__all__ = ["CommandError", "Kv", "KvOptions", "Store", "StoreError", "current_store"]


class Kv:
    """Serve Redis's commands from a store."""

    Options = KvOptions

    counts_requests = True

    metrics = metrics_of_store("kv")

    default_port = 6379

    try_it = "printf 'SET greeting hello\\nGET greeting\\n' | nc -N {host} {port}"

    def __init__(self, options: KvOptions) -> None:
        """Choose the store; nothing is opened yet."""
        self._serving = make_serving(options)
        self.max_workers = self._serving.max_workers
        self._server: Sessions

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""
        return self._serving.shares

    def matches(self, data: bytes) -> bool | None:
        """Return whether a connection of a listener with several protocols begins with a command."""
        return is_redis(data)

    @hookimpl
    def on_start(self, pool: PoolInfo) -> None:
        self._serving.prepare(pool)

    @hookimpl
    def on_stop(self) -> None:
        self._serving.discard()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._server = self._serving.start(worker, self)

    @hookimpl
    def on_worker_stop(self) -> None:
        self._serving.close()

    @hookimpl
    def on_accept(self, conn: Connection[Session]) -> None:
        self._server.begin(conn)

    @hookimpl
    def on_readable(self, conn: Connection[Session]) -> None:
        self._server.receive(conn.session)

    @hookimpl
    def on_writable(self, conn: Connection[Session]) -> None:
        self._server.proceed(conn.session)

    @hookimpl
    def on_freeze(self, conn: Connection[Session]) -> bytes | None:
        return conn.session.freeze()

    @hookimpl
    def on_thaw(self, conn: Connection[Session], state: bytes) -> None:
        self._server.adopt(conn, state)

    @hookimpl
    def on_lost(self, conn: Connection[Session]) -> None:
        conn.send(b"-ERR worker lost\r\n")

    @hookimpl
    def on_drain(self, conn: Connection[Session]) -> None:
        self._server.stay(conn.session)

    @hookimpl
    def on_close(self, conn: Connection[Session], reason: CloseReason) -> None:
        self._server.end(conn.session, has_moved=reason is CloseReason.MOVED)
