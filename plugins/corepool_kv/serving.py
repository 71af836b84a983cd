"""The two ways to serve a listener: from a store on this machine, through the engine, or from other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from corepool import SetupError
from corepool_kv.engine.listener_store import ListenerStore
from corepool_kv.engine.places import OtherServers
from corepool_kv.engine.store_metrics import count_store
from corepool_kv.redis.server import Server
from corepool_kv.stores.remote_url import is_remote, parse_remote_url

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.engine.places import Place
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


def make_serving(options: KvOptions) -> Place[Sessions]:
    """Choose by the store's name; nothing is opened yet."""
    return OnServers(options, parse_remote_url(options.store)) if is_remote(options.store) else OnThisMachine(options)


class OnThisMachine(ListenerStore):
    """The engine, on a store that workers share."""

    def __init__(self, options: KvOptions) -> None:
        super().__init__(options)
        self._options_of_server = options
        self._server: Server

    def start(self, worker: Worker, protocol: object) -> Sessions:
        engine = self.open(worker)
        count_store(worker, protocol, "kv", engine)
        store = self.identity or f"{worker.pool}/{worker.listener_of(protocol)}"
        self._server = Server(self._options_of_server, engine, worker, store)
        return self._server

    def close(self) -> None:
        self._server.close()
        super().close()


class OnServers(OtherServers):
    """Requests are forwarded."""

    def __init__(self, options: KvOptions, url: RemoteUrl) -> None:
        self._options = options
        self._url = url

    def start(self, worker: Worker, protocol: object) -> Sessions:  # noqa: ARG002
        from corepool_kv.remote.server import RemoteServer  # noqa: PLC0415  # a local store needs none of it

        try:
            self._server = RemoteServer(self._options, self._url, worker)
        except ValueError as error:
            raise SetupError(f"the store {self._url}: {error}") from None
        return self._server

    def close(self) -> None:
        self._server.close()
