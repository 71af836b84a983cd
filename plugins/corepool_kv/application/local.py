"""A store on this machine: commands run on the engine, which listeners of kv may use as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.application.calls import CommandError
from corepool_kv.engine.engine import Engines
from corepool_kv.engine.errors import OutOfRoomError
from corepool_kv.engine.keyspace import Limits
from corepool_kv.redis.lookup import find_command
from corepool_kv.redis.replies import Error, encode
from corepool_kv.redis.running import ENDS_ONE_COMMAND, word
from corepool_kv.stores import FullError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Worker
    from corepool_kv.application.calls import Done
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.engine.work import Work
    from corepool_kv.redis.entry import Command, OnData
    from corepool_kv.stores import Store


class LocalDriver:
    """Implements `calls.Driver`."""

    def __init__(self, store: Store, worker: Worker, max_bytes: int) -> None:
        """Open the store, or join those that have it open.

        :param max_bytes: of a value, and of a reply.
        :raises StoreError: it can't be opened.
        """
        self._engines = worker.shared(Engines)
        self._engine = self._engines.join(store, worker)
        self._limits = Limits(self._engine.max_key_bytes, max_bytes, max_bytes)

    def submit(self, words: Sequence[bytes], done: Done) -> None:
        try:
            command = find_command(list(words))
        except Error as error:
            raise CommandError(str(error)) from None
        if command.on_data is None:
            raise CommandError(f"ERR '{command.name.decode()}' is no command on data alone")
        args = list(words[command.words :])
        if command.writes:
            self._engine.execution.submit(_Call(self._limits, done), _as_work(command, args))
        else:
            done(self._read(command.on_data, args))

    def _read(self, on_data: OnData, args: list[bytes]) -> bytes:
        execution = self._engine.execution
        begins = execution.reading is None  # else this is called within an event of a kv listener
        try:
            return _run_and_finish(on_data, args, execution.read(self._limits))
        except StoreError as error:
            execution.log_failure(error)
            return _failed(error)
        finally:
            if begins:
                execution.end_event()

    def close(self) -> None:
        self._engines.leave(self._engine)


class _Call:
    """A command that waits for its transaction. Implements `execution.Client`."""

    def __init__(self, limits: Limits, done: Done) -> None:
        self.waiting: list[Work] = []
        self.limits = limits
        self._done = done

    def answer(self, replies: bytes) -> None:
        self._done(replies)

    def explain(self, error: StoreError, commands: int) -> bytes:
        return _failed(error) * commands


def _as_work(command: Command, args: list[bytes]) -> Work:
    on_data = command.on_data
    assert on_data is not None

    def work(db: Keyspace) -> bytes:
        if command.grows and db.is_full:
            return encode(word(OutOfRoomError()), False)
        return _run(on_data, args, db)

    return work


def _run(on_data: OnData, args: list[bytes], db: Keyspace) -> bytes:
    try:
        return encode(on_data(db, args), False)
    except ENDS_ONE_COMMAND as error:
        return encode(word(error), False)


def _run_and_finish(on_data: OnData, args: list[bytes], view: Keyspace) -> bytes:
    reply = _run(on_data, args, view)
    view.finish()
    return reply


def _failed(error: StoreError) -> bytes:
    if isinstance(error, FullError):
        return encode(word(OutOfRoomError()), False)
    return encode(Error(f"ERR the store has failed: {error}"), False)
