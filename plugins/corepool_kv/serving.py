"""The two ways to serve a listener: from a store on this machine, through the engine, or from other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from corepool import SetupError
from corepool_kv.engine.listener_store import ListenerStore
from corepool_kv.engine.store_metrics import count_store
from corepool_kv.redis.server import Server
from corepool_kv.stores.remote_url import is_remote, parse_remote_url

if TYPE_CHECKING:
    from corepool import Connection, PoolInfo, SharedResource, Worker
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.stores.remote_url import RemoteUrl


class Sessions(Protocol):
    """The server of a listener in one worker, as the hooks call it."""

    def begin(self, conn: Connection[Any]) -> None:
        """Take a new client."""

    def adopt(self, conn: Connection[Any], state: bytes) -> None:
        """Take a client of another worker.

        :raises ValueError: the state is none.
        """

    def receive(self, session: Any) -> None:
        """Serve received input."""

    def proceed(self, session: Any) -> None:
        """Continue when the client has read."""

    def stay(self, session: Any) -> None:
        """Have a client stay with this worker, which is leaving, until it is answered."""

    def end(self, session: Any, *, has_moved: bool) -> None:
        """Forget a client, which has moved to another worker or has ended."""


class Serving(Protocol):
    """A way to serve."""

    max_workers: int | None

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""

    def prepare(self, pool: PoolInfo) -> None:
        """Make what all workers share. Runs in: master."""

    def discard(self) -> None:
        """Remove temporary files. Runs in: master."""

    def start(self, worker: Worker, protocol: object) -> Sessions:
        """Begin to serve the listener of a protocol. Runs in: worker.

        :raises SetupError: the store can't be used.
        """

    def stop(self) -> None:
        """End. Runs in: worker."""


def make_serving(options: KvOptions) -> Serving:
    """Choose by the store's name; nothing is opened yet."""
    return OnServers(options, parse_remote_url(options.store)) if is_remote(options.store) else OnThisMachine(options)


class OnThisMachine:
    """The engine, on a store that workers share."""

    def __init__(self, options: KvOptions) -> None:
        self._options = options
        self._store = ListenerStore(options)
        self.max_workers = self._store.max_workers
        self._server: Server

    @property
    def shares(self) -> list[SharedResource]:
        return self._store.shares

    def prepare(self, pool: PoolInfo) -> None:
        self._store.prepare(pool)

    def discard(self) -> None:
        self._store.discard()

    def start(self, worker: Worker, protocol: object) -> Sessions:
        engine = self._store.open(worker)
        count_store(worker, protocol, "kv", engine)
        listener = worker.listener_of(protocol)
        self._server = Server(self._options, engine, worker, self._store.identity or f"{worker.pool}/{listener}")
        return self._server

    def stop(self) -> None:
        self._server.close()
        self._store.close()


class OnServers:
    """Requests are forwarded."""

    max_workers: int | None = None

    def __init__(self, options: KvOptions, url: RemoteUrl) -> None:
        self._options = options
        self._url = url

    @property
    def shares(self) -> list[SharedResource]:
        return []  # any number of listeners, and of other programs

    def prepare(self, pool: PoolInfo) -> None:
        pass

    def discard(self) -> None:
        pass

    def start(self, worker: Worker, protocol: object) -> Sessions:  # noqa: ARG002
        from corepool_kv.remote.server import RemoteServer  # noqa: PLC0415  # a local store needs none of it

        try:
            self._server = RemoteServer(self._options, self._url, worker)
        except ValueError as error:
            raise SetupError(f"the store {self._url}: {error}") from None
        return self._server

    def stop(self) -> None:
        self._server.close()
