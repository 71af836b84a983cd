"""The extension `stores`: it opens the stores of an application in every worker, and leaves connections alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from corepool import Duration, Options, SetupError, SharedResource, Size, hookimpl
from corepool_kv.application.local import LocalDriver
from corepool_kv.application.remote import RemoteDriver
from corepool_kv.application.store import Store, set_current_stores
from corepool_kv.stores.options import Eviction, StoreOptions, make_store
from corepool_kv.stores.remote_url import is_remote, parse_remote_url

if TYPE_CHECKING:
    from corepool import PoolInfo, Worker
    from corepool_kv.application.calls import Driver
    from corepool_kv.stores import Store as OpenStore

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class StoresOptions(Options):
    """[listener.extension_options.stores]."""

    url: Annotated[dict[Name, str], Field(min_length=1)]
    """Of each store its place, as `store` of protocol = "kv" has it: "lmdb:PATH", "redis://HOST:PORT", ..."""

    durability: Literal["always", "everysec", "never"] = "everysec"
    """When writes to stores on this machine reach the disk, as of protocol = "kv"."""

    max_bytes: Annotated[Size, Field(ge=1 << 20)] = 1 << 40
    """How large a store on this machine may grow, in bytes."""

    eviction: Eviction = "noeviction"
    """What happens when such a store comes near to `max_bytes`, as of protocol = "kv"."""

    max_value: Annotated[Size, Field(ge=1024)] = 64 * 1024 * 1024
    """Bytes of a value, and of a reply."""

    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    """Seconds after which a server of a store has failed, if requests wait and nothing comes from it."""

    @model_validator(mode="after")
    def _are_stores(self) -> Self:
        for name in self.url:
            try:
                self.of_store(name)
            except ValueError as error:
                reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
                raise ValueError(f"the store {name!r}: {reason.removeprefix('Value error, ')}") from None
        return self

    def of_store(self, name: str) -> StoreOptions:
        """Return the options of a store.

        :raises ValueError: it is no store.
        """
        url = self.url[name]
        if is_remote(url):
            return StoreOptions(store=url)
        return StoreOptions(store=url, durability=self.durability, max_bytes=self.max_bytes, eviction=self.eviction)


class _Opened:
    """The stores of a worker, by name; listeners that name one with the same place share it."""

    def __init__(self) -> None:
        self.stores: dict[str, Store] = {}
        self.urls: dict[str, str] = {}
        self.users: dict[str, int] = {}


class Stores:
    """Open stores for the application of a listener."""

    Options = StoresOptions

    def __init__(self, options: StoresOptions) -> None:
        """Choose the stores; nothing is opened yet."""
        self._options = options
        self._local: dict[str, OpenStore] = {
            name: make_store(options.of_store(name)) for name, url in options.url.items() if not is_remote(url)
        }
        most = [each.max_workers for each in self._local.values() if each.max_workers is not None]
        self.max_workers = min(most, default=None)
        self._opened: _Opened
        self._mine: list[str] = []

    @property
    def shares(self) -> list[SharedResource]:
        """The stores that other listeners may have, too, of protocol `kv`, say."""
        identities = {name: store.identity() for name, store in self._local.items()}
        return [
            SharedResource(its, f"the store {self._options.url[name]!r}", self._options.of_store(name).of_store())
            for name, its in identities.items()
            if its is not None
        ]

    @hookimpl
    def on_start(self, pool: PoolInfo) -> None:
        for store in self._local.values():
            store.prepare(pool.workers_uid, pool.workers_gid)

    @hookimpl
    def on_stop(self) -> None:
        for store in self._local.values():
            store.discard()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        opened = self._opened = worker.shared(_Opened)
        for name, url in self._options.url.items():
            if opened.urls.setdefault(name, url) != url:
                raise SetupError(f"two listeners of this pool have a store {name!r}, at different places")
            if name not in opened.stores:
                opened.stores[name] = Store(name, self._open(name, url, worker), worker.loop)
            opened.users[name] = opened.users.get(name, 0) + 1
            self._mine.append(name)
        set_current_stores(opened.stores)

    @hookimpl
    def on_worker_stop(self) -> None:
        for name in self._mine:
            self._opened.users[name] -= 1
            if not self._opened.users[name]:
                self._opened.stores.pop(name).close()
                del self._opened.urls[name]
        self._mine.clear()

    def _open(self, name: str, url: str, worker: Worker) -> Driver:
        local = self._local.get(name)
        if local is not None:
            return LocalDriver(local, worker, self._options.max_value)
        try:
            return RemoteDriver(parse_remote_url(url), worker, self._options.max_value, self._options.timeout)
        except ValueError as error:
            raise SetupError(f"the store {name!r}: {error}") from None
