"""The facts and statistics of one listener in one worker, as its commands read and reset them."""

from __future__ import annotations

import hashlib
import math
import os
from typing import TYPE_CHECKING, Protocol

from corepool_kv.engine.keyspace import Limits
from corepool_kv.redis.parameters import Parameters
from corepool_kv.redis.statistics import Present, Statistics, Totals

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.room import Room
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.redis.peers import Peers
    from corepool_kv.redis.pubsub import PubSub
    from corepool_kv.redis.scripts.runtime import Runtime
    from corepool_kv.redis.secrets_of_requests import Described
    from corepool_kv.redis.session import Session


class SlowCommands(Protocol):
    """The slow log, as those that run commands use it."""

    def note(self, session: Session, request: list[bytes], seconds: float) -> None:
        """Write an entry. Runs in: the loop's thread."""


class Overseer(Protocol):
    """All workers as one server, as commands use them: `oversight.Oversight`."""

    peers: Peers

    def feed(self, session: Session, command: Described, request: list[bytes], database: int) -> None:
        """Send a command to all that monitor."""

    def feed_script(self, command: Described, request: list[bytes], database: int) -> None:
        """Send a command of a script to all that monitor."""

    def begin_pause(self, milliseconds: int, *, writes_only: bool) -> None:
        """Have clients wait."""

    def end_pause(self) -> None:
        """Have clients wait no more."""

    def begin_monitoring(self, session: Session) -> None:
        """Send a client lines from now on.

        :raises OSError: the system has no descriptor or memory for it.
        """

    def end_monitoring(self, session: Session) -> None:
        """Send a client no more lines."""


class ServerState:
    """Options, sessions and counters."""

    redis_version = "7.0.15"
    """The version of Redis whose replies these are."""

    def __init__(
        self,
        options: KvOptions,
        engine: Engine,
        worker: Worker,
        pubsub: PubSub,
        store: str,
    ) -> None:
        """Begin without clients.

        :param store: its name: the figures of listeners of one are summed.
        """
        self.options = options
        self.limits = Limits(engine.max_key_bytes, options.max_request, options.max_reply)
        self.parameters = Parameters(options)
        self.password = options.expected
        self.pubsub = pubsub
        self.blocking = engine.blocking
        self.pid = os.getpid()
        self.slot = worker.slot
        self.statistics = Statistics(worker, store)
        self.sessions: dict[int, Session] = {}
        self.connections = 0
        self.commands_run = 0
        self.error_replies = 0
        self.run_id = hashlib.sha1(f"{worker.pool} {os.getppid()} {options.store}".encode()).hexdigest()  # noqa: S324
        """As long as a Redis's, and the same in all workers of a master."""
        self.oversight: Overseer
        self.slowlog: SlowCommands
        """These two are set by the server."""
        self.is_watched = False
        """Commands may have to wait, or to be told to clients that monitor."""
        self.slow_s = 0.0
        """Commands that take as long are put into the slow log."""
        self.parameters.on_change(self._read_slow)
        self.scripts: Runtime | None = None
        """Made for the first script."""
        self._engine = engine
        parameters = self.parameters
        parameters.on_change(
            lambda: engine.configure_room(int(parameters["maxmemory"]), parameters["maxmemory-policy"])
        )
        self._bytes_in = self._bytes_out = 0
        """Of clients that have gone, less what the present ones had received and sent before they came here."""
        self._expired = self._evicted = self._hits = self._misses = 0
        self._second = self.counted()
        """The totals of a second ago."""
        self._present = Present()

    def _read_slow(self) -> None:
        microseconds = int(self.parameters["slowlog-log-slower-than"])
        self.slow_s = math.inf if microseconds < 0 else microseconds / 1e6

    @property
    def store_has_failed(self) -> bool:
        """True after a transaction that failed, until one succeeds."""
        return self._engine.execution.has_failed

    def add(self, session: Session) -> None:
        """Take a client."""
        self.sessions[session.number] = session
        self._bytes_in -= session.conn.bytes_in
        self._bytes_out -= session.conn.bytes_out

    def remove(self, session: Session) -> None:
        """Forget a client."""
        if self.sessions.pop(session.number, None) is not None:
            self._bytes_in += session.conn.bytes_in
            self._bytes_out += session.conn.bytes_out

    def count_error(self, name: str, times: int = 1) -> None:
        """Count error replies.

        :param name: their first word.
        """
        self.error_replies += times
        self.statistics.count_error(name, times)

    def counted(self) -> Totals:
        """Return what this listener has counted in this worker."""
        self._expired += self._engine.take_expired()
        self._evicted += self._engine.take_evicted()
        hits, misses = self._engine.take_lookups()
        self._hits += hits
        self._misses += misses
        conns: list[Connection[Session]] = [session.conn for session in self.sessions.values()]
        return Totals(
            self.connections,
            self.commands_run,
            self.error_replies,
            self._expired,
            self._bytes_in + sum([conn.bytes_in for conn in conns]),
            self._bytes_out + sum([conn.bytes_out for conn in conns]),
            self._evicted,
            self._hits,
            self._misses,
        )

    @property
    def room(self) -> Room:
        """The room in the store."""
        return self._engine.room

    def end_second(self) -> None:
        """Share the figures. Called once a second."""
        counted = self.counted()
        rates = counted.minus(self._second)
        self._second = counted
        blocked = sum([session.blocked is not None for session in self.sessions.values()])
        self._present = Present(len(self.sessions), blocked, rates.commands, rates.bytes_in, rates.bytes_out)
        self._share(counted)

    def share(self) -> None:
        """Share the figures of now: those that are told should have them."""
        blocked = sum([session.blocked is not None for session in self.sessions.values()])
        self._present = self._present._replace(clients=len(self.sessions), blocked=blocked)
        self._share(self.counted(), now=True)

    def reset_statistics(self) -> None:
        """Count from zero again, in all workers."""
        self.statistics.forget(self.counted())

    def _share(self, counted: Totals, *, now: bool = False) -> None:
        script_bytes = 0 if self.scripts is None else self.scripts.used_bytes
        self.statistics.share(counted, self._present, script_bytes, now=now)
