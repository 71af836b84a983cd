"""The facts and statistics of one listener in one worker, as its commands read and reset them."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from corepool_kv.engine.keyspace import Limits
from corepool_kv.redis.parameters import Parameters

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_kv.engine.engine import Engine
    from corepool_kv.engine.room import Room
    from corepool_kv.redis.options import KvOptions
    from corepool_kv.redis.pubsub import PubSub
    from corepool_kv.redis.scripts.runtime import Runtime
    from corepool_kv.redis.session import Session


class ServerState:
    """Options, sessions and counters."""

    redis_version = "7.0.15"
    """The version of Redis whose replies these are."""

    def __init__(self, options: KvOptions, engine: Engine, worker: Worker, pubsub: PubSub) -> None:
        self.options = options
        self.limits = Limits(engine.max_key_bytes, options.max_request, options.max_reply)
        self.parameters = Parameters(options)
        self.password = options.expected
        self.pubsub = pubsub
        self.blocking = engine.blocking
        self.pid = os.getpid()
        self.slot = worker.slot
        self.began_s = time.monotonic()
        self.sessions: dict[int, Session] = {}
        self.connections = 0
        self.commands_run = 0
        self.commands_per_s = 0
        """In the last second."""
        self._counted = 0
        self.errors: Counter[str] = Counter()
        """Error replies, by their first words."""
        self.run_id = hashlib.sha1(f"{worker.pool} {os.getppid()} {options.store}".encode()).hexdigest()  # noqa: S324
        """As long as a Redis's, and the same in all workers of a master."""
        self.scripts: Runtime | None = None
        """Made for the first script."""
        self._engine = engine
        self._expired_before = self._evicted_before = 0
        parameters = self.parameters
        parameters.on_change(
            lambda: engine.configure_room(int(parameters["maxmemory"]), parameters["maxmemory-policy"])
        )

    @property
    def store_has_failed(self) -> bool:
        """True after a transaction that failed, until one succeeds."""
        return self._engine.execution.has_failed

    @property
    def expired_keys(self) -> int:
        """Expired keys that this worker has removed from the store, which other listeners may share."""
        return self._engine.expired_keys - self._expired_before

    @property
    def room(self) -> Room:
        """The room in the store."""
        return self._engine.room

    @property
    def evicted_keys(self) -> int:
        """Keys that this worker has evicted from the store, likewise."""
        return self._engine.room.evicted - self._evicted_before

    def end_second(self) -> None:
        """Compute the rate of commands. Called once a second."""
        self.commands_per_s = self.commands_run - self._counted
        self._counted = self.commands_run

    def reset_statistics(self) -> None:
        """Count from zero again."""
        self.connections = self.commands_run = self._counted = self.commands_per_s = 0
        self._expired_before = self._engine.expired_keys
        self._evicted_before = self._engine.room.evicted
        self.errors.clear()
