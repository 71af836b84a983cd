"""The memcached protocol: its text and meta commands, on the stores of the kv protocol, shared by all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool import hookimpl
from corepool_kv.engine.store_metrics import metrics_of_store
from corepool_kv.memcached.options import MemcachedOptions
from corepool_kv.memcached.places import find_place
from corepool_kv.memcached.recognition import is_memcached
from corepool_kv.memcached.server import Server

if TYPE_CHECKING:
    from corepool import CloseReason, Connection, PoolInfo, SharedResource, Worker
    from corepool_kv.memcached.session import Session

__all__ = ["Memcached", "MemcachedOptions"]


class Memcached:
    """Serve memcached's text and meta commands from a store, which listeners of `kv` may share."""

    Options = MemcachedOptions

    counts_requests = True

    metrics = metrics_of_store("memcached")

    default_port = 11211

    try_it = "printf 'set greeting 0 0 5\\r\\nhello\\r\\nget greeting\\r\\nquit\\r\\n' | nc {host} {port}"

    def __init__(self, options: MemcachedOptions) -> None:
        """Choose the store; nothing is opened yet."""
        self._options = options
        self._place = find_place(options)
        self.max_workers = self._place.max_workers
        self._server: Server

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""
        return self._place.shares

    def matches(self, data: bytes) -> bool | None:
        """Return whether a connection of a listener with several protocols begins with a command."""
        return is_memcached(data)

    @hookimpl
    def on_start(self, pool: PoolInfo) -> None:
        self._place.prepare(pool)

    @hookimpl
    def on_stop(self) -> None:
        self._place.discard()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        items = self._place.start(worker, self)
        self._server = Server(self._options, items, worker, worker.listener_of(self))

    @hookimpl
    def on_worker_stop(self) -> None:
        self._server.close()
        self._place.close()

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
    def on_thaw(self, conn: Connection[Session]) -> None:
        self._server.begin(conn)

    @hookimpl
    def on_lost(self, conn: Connection[Session]) -> None:
        conn.send(b"SERVER_ERROR worker lost\r\n")

    @hookimpl
    def on_close(self, conn: Connection[Session], reason: CloseReason) -> None:  # noqa: ARG002
        self._server.end(conn.session)
