"""Items in a store on this machine: reads at once, writes in the engine's transactions."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool_kv import events
from corepool_kv.engine.execution import INTERNAL_ERROR
from corepool_kv.engine.keyspace import Limits
from corepool_kv.engine.listener_store import ListenerStore
from corepool_kv.engine.store_metrics import count_store
from corepool_kv.memcached import flushing
from corepool_kv.memcached.numbers import MAX_KEY_BYTES
from corepool_kv.memcached.steps import ENDS_ONE_COMMAND, Step, Waiting, word
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.turns import SessionBase
    from corepool_kv.engine.work import Work
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.session import Session

log = logging.getLogger(__name__)

_FLUSH_INTERVAL_S = 1.0


class OnThisMachine(ListenerStore):
    """The store of a listener. Implements `engine.places.Place`."""

    def __init__(self, options: MemcachedOptions) -> None:
        super().__init__(options)
        self._options_of_items = options

    def start(self, worker: Worker, protocol: object) -> LocalItems:
        engine = self.open(worker)
        count_store(worker, protocol, "memcached", engine)
        return LocalItems(self._options_of_items, engine, worker)


class LocalItems:
    """Implements `server.Items`."""

    max_waiting = 1000

    def __init__(self, options: MemcachedOptions, engine: Engine, worker: Worker) -> None:
        """Use the store of an engine, which stays its owner's."""
        self.limits = Limits(min(MAX_KEY_BYTES, engine.max_key_bytes), options.max_item, options.max_item)
        self.room = engine.room
        self._execution = engine.execution
        self._database = options.database
        self._flusher = _Flusher(self, worker)

    def run(self, session: Session, step: Step) -> bytes:
        if step.writes or session.waiting:
            return self._submit(session, step)
        try:
            db = self._view()
            if step.needs_write is not None and step.needs_write(db):
                return self._submit(session, step)
            return step.work(db)
        except ENDS_ONE_COMMAND as error:
            return word(error)
        except StoreError as error:
            self._execution.log_failure(error)
            return b"SERVER_ERROR the store has failed: %b\r\n" % str(error).encode(errors="replace")
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            events.kv_command_failed.exception(log, error)
            return b"SERVER_ERROR %b\r\n" % INTERNAL_ERROR.encode()

    def proceed(self, session: SessionBase) -> None:
        self._execution.schedule(session)

    def end_event(self) -> None:
        self._execution.end_event()

    def close(self) -> None:
        self._flusher.stop()

    def flush(self, flusher: _Flusher) -> None:
        """Carry out a flush_all whose moment has come."""
        try:
            if flushing.is_due(self._view()):
                self._execution.submit(flusher, Waiting(Step(flushing.flush_if_due, writes=True), self._database))
        except StoreError as error:
            self._execution.log_failure(error)
        finally:
            self._execution.end_event()

    def _view(self) -> Keyspace:
        db = self._execution.reading or self._execution.read(self.limits)
        return db.select(self._database) if self._database else db

    def _submit(self, session: Session, step: Step) -> bytes:
        if not session.waiting:
            session.conn.busy = True
        session.waiting_bytes += step.size
        self._execution.submit(session, Waiting(step, self._database))
        return b""


class _Flusher:
    """The client whose work is a delayed flush_all. Implements `execution.Client`."""

    def __init__(self, items: LocalItems, worker: Worker) -> None:
        """Begin to look, once a second."""
        self.limits = items.limits
        self.waiting: list[Work] = []
        self._items = items
        self._loop = worker.loop
        self._timer = self._loop.call_later(_FLUSH_INTERVAL_S, self._look)

    def stop(self) -> None:
        """End: the store is closed."""
        self._timer.cancel()

    def answer(self, replies: bytes) -> None:
        """It is done."""

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        """It will be tried again in a second."""
        return b""

    def _look(self) -> None:
        self._timer = self._loop.call_later(_FLUSH_INTERVAL_S, self._look)
        if not self.waiting:
            self._items.flush(self)
