"""The engine of one store in one worker, and the table of all engines of the worker.

LMDB forbids to have an environment open twice in one process, and expired records need to be removed once only. So the
listeners that name the same store share one engine: the first one opens it, and the last one closes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.blocking import Blocking
from corepool_kv.engine.evicting import Evicting
from corepool_kv.engine.execution import Execution
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.sweeper import Sweeper
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_kv.stores import Store

_NO_LIMITS = Limits(0, 0, 0)  # nothing is stored, and nothing replied

_MAINTAIN_INTERVAL_S = 1.0


class Engine:
    """An open store, the execution of work on it, and its periodic maintenance. Owned by `Engines`."""

    def __init__(self, store: Store, worker: Worker) -> None:
        """Open the store.

        :raises StoreError: it can't be opened.
        """
        self.listeners = 1
        """Those that use it."""
        self.max_key_bytes = store.max_key_bytes
        self._store = store
        self._loop = worker.loop
        store.open(worker.workers)
        self.execution = Execution(store, worker)
        self.blocking = Blocking(self.execution, worker, store.identity() or worker.pool, store.max_key_bytes)
        self.room = self.execution.room
        self._evicted_told = 0
        self._maintaining = self._loop.call_later(_MAINTAIN_INTERVAL_S, self._maintain)
        self._sweeper = Sweeper(self.execution, worker.loop)
        if worker.slot == 0:
            self._sweeper.rest()
        self._evicting = Evicting(self.execution, worker.loop, self._look_for_room)
        self._evicts_idly = worker.slot == 0
        self._look_for_room()

    def take_evicted(self) -> int:
        """Return how many keys this worker has evicted since the last call."""
        taken, self._evicted_told = self.room.evicted - self._evicted_told, self.room.evicted
        return taken

    def take_expired(self) -> int:
        """Return how many expired keys this worker has removed since the last call: one listener counts each."""
        taken, self._sweeper.total = self._sweeper.total, 0
        return taken

    def take_lookups(self) -> tuple[int, int]:
        """Return how many keys commands have found, and have not, since the last call."""
        return self.execution.lookups.take()

    def configure_room(self, max_bytes: int, policy: str) -> None:
        """Change the bound of the store, and what happens near it; a failure is logged."""
        try:
            self.room.configure(max_bytes, policy)
        except StoreError as error:
            self.execution.log_failure(error)

    def close(self) -> None:
        """Finish the commit that is under way, and close the store."""
        self._maintaining.cancel()
        self.execution.close()
        self.blocking.close()
        self._sweeper.stop()
        self._evicting.stop()
        self._store.close()

    def _maintain(self) -> None:
        self._store.maintain()
        self.blocking.look()
        self._look_for_room()
        self._maintaining = self._loop.call_later(_MAINTAIN_INTERVAL_S, self._maintain)

    def _look_for_room(self) -> None:
        try:
            is_over = self.room.look(self.execution.read(_NO_LIMITS))
        except StoreError as error:
            self.execution.log_failure(error)
            return
        finally:
            self.execution.end_event()
        if is_over and self._evicts_idly:
            self._evicting.begin()


class Engines:
    """The engines of one worker: one for each store, by the identity of its data."""

    def __init__(self) -> None:
        self._shared: dict[str, Engine] = {}

    def join(self, store: Store, worker: Worker) -> Engine:
        """Return the engine of a store, which the listener leaves again at its stop.

        :raises StoreError: it can't be opened.
        """
        identity = store.identity()
        engine = None if identity is None else self._shared.get(identity)
        if engine is not None:
            engine.listeners += 1
            return engine
        engine = Engine(store, worker)
        # A folder has another identity once it exists; the engines of this worker have made theirs.
        identity = store.identity()
        if identity is not None:
            self._shared[identity] = engine
        return engine

    def leave(self, engine: Engine) -> None:
        """Close an engine if no other listener uses it."""
        engine.listeners -= 1
        if engine.listeners == 0:
            self._shared = {identity: each for identity, each in self._shared.items() if each is not engine}
            engine.close()
