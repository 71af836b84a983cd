"""The store of one listener on this machine: prepared in the master, opened in each worker with an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool import SharedResource
from corepool_kv.engine.engine import Engine, Engines
from corepool_kv.stores.options import make_store

if TYPE_CHECKING:
    from corepool import PoolInfo, Worker
    from corepool_kv.stores.options import StoreOptions


class ListenerStore:
    """The store of a listener, from the configuration to the end of the pool."""

    def __init__(self, options: StoreOptions) -> None:
        """Choose the store; nothing is opened yet."""
        self._options = options
        self._store = make_store(options)
        self.max_workers = self._store.max_workers
        self._engines: Engines
        self._engine: Engine

    @property
    def identity(self) -> str | None:
        """The same for every listener that names the store; None: no other can."""
        return self._store.identity()

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""
        identity = self.identity
        if identity is None:
            return []
        return [SharedResource(identity, f"the store {self._options.store!r}", self._options.of_store())]

    def prepare(self, pool: PoolInfo) -> None:
        """Prepare the place that all workers share. Runs in: the master."""
        self._store.prepare(pool.workers_uid, pool.workers_gid)

    def discard(self) -> None:
        """Remove temporary files. Runs in: the master."""
        self._store.discard()

    def open(self, worker: Worker) -> Engine:
        """Open the store, or join the listeners that have it open. Runs in: the worker.

        :raises StoreError: it can't be opened.
        """
        self._engines = worker.shared(Engines)
        self._engine = self._engines.join(self._store, worker)
        return self._engine

    def close(self) -> None:
        """Leave it; the last listener closes it. Runs in: the worker."""
        self._engines.leave(self._engine)
