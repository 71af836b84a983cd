"""The settings of a listener under the names that Redis has for them, as CONFIG reads and changes them.

Most come from the configuration, and change at a reload. A few can be changed while clients are served: the store keeps
those for all workers, which look once a second, and the worker that serves CONFIG SET has the new value at once.
"""

from __future__ import annotations

import json
import re
import resource
from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.notifications import parse_letters, show_letters
from corepool_kv.engine.room import SAMPLED
from corepool_kv.redis.numbers import LARGEST, parse_integer
from corepool_kv.redis.replies import Error
from corepool_kv.stores import DATABASES, SYSTEM
from corepool_kv.stores.options import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.options import KvOptions

MAX_SLOW = 10_000
"""The largest slowlog-max-len: entries are kept in the store."""

_KEY = b"parameters"
"""Of the record in the database SYSTEM."""


class Parameter(NamedTuple):
    """A setting."""

    configured: Callable[[KvOptions], object]
    """Return the value that the configuration gives it."""
    parse: Callable[[bytes], str] | None = None
    """Return the value that CONFIG SET gives it, as CONFIG GET returns it, or raise Error; None: it is configured."""


def whole_number(smallest: int, largest: int = LARGEST) -> Callable[[bytes], str]:
    """Return a function that reads a number between two others, inclusive."""

    def parse(text: bytes) -> str:
        number = parse_integer(text, "argument couldn't be parsed into an integer")
        if not smallest <= number <= largest:
            raise Error(f"argument must be between {smallest} and {largest} inclusive")
        return str(number)

    return parse


_UNITS = {
    b"": 1,
    b"b": 1,
    b"k": 1000,
    b"kb": 1 << 10,
    b"m": 1000**2,
    b"mb": 1 << 20,
    b"g": 1000**3,
    b"gb": 1 << 30,
}
_SIZE = re.compile(rb"([0-9]{1,18})([a-z]*)", re.IGNORECASE)


def _size(text: bytes) -> str:
    """Read a number of bytes as Redis's configuration has it: 1k is 1,000, and 1kb 1,024."""
    found = _SIZE.fullmatch(text)
    unit = None if found is None else _UNITS.get(found[2].lower())
    if found is None or unit is None:
        raise Error("argument must be a memory value")
    return str(int(found[1]) * unit)


def _policy(text: bytes) -> str:
    policy = text.decode("latin-1").lower()
    if policy not in POLICIES:
        raise Error(f"argument(s) must be one of the following: {', '.join(POLICIES)}")
    return policy


def _events(text: bytes) -> str:
    letters = parse_letters(text.decode("latin-1"))
    if letters is None:
        raise Error("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    return show_letters(letters)


def _constant(value: object) -> Parameter:
    return Parameter(lambda _: value)


PARAMETERS = {
    "appendfsync": Parameter(lambda options: {"never": "no"}.get(options.durability, options.durability)),
    "appendonly": _constant("no"),
    "busy-reply-threshold": Parameter(lambda _: 5000, whole_number(1)),
    "client-output-buffer-limit": _constant("normal 0 0 0 slave 0 0 0 pubsub 33554432 8388608 60"),
    "client-query-buffer-limit": Parameter(lambda options: options.max_request),
    "cluster-enabled": _constant("no"),
    "databases": _constant(DATABASES),
    "enable-debug-command": Parameter(lambda options: options.enable_debug_command),
    # The encodings that OBJECT ENCODING goes by.
    "hash-max-listpack-entries": _constant(512),
    "hash-max-listpack-value": _constant(64),
    "list-max-listpack-size": _constant(-2),
    "set-max-intset-entries": _constant(512),
    "zset-max-listpack-entries": _constant(128),
    "zset-max-listpack-value": _constant(64),
    "hz": _constant(10),
    "io-threads": _constant(1),
    "latency-monitor-threshold": _constant(0),
    "latency-tracking": _constant("no"),
    "lua-time-limit": Parameter(lambda _: 5000, whole_number(1)),
    "maxclients": Parameter(lambda _: resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
    "maxmemory": Parameter(lambda options: options.max_bytes if "max_bytes" in options.model_fields_set else 0, _size),
    "maxmemory-policy": Parameter(lambda options: options.eviction, _policy),
    "maxmemory-samples": _constant(SAMPLED),
    "notify-keyspace-events": Parameter(lambda options: options.notify_keyspace_events, _events),
    "proto-max-bulk-len": Parameter(lambda options: options.max_request),
    "protected-mode": _constant("no"),
    "requirepass": _constant(""),  # never shown
    "save": _constant(""),
    "slowlog-log-slower-than": Parameter(lambda _: 10_000, whole_number(-1)),
    "slowlog-max-len": Parameter(lambda _: 128, whole_number(0, MAX_SLOW)),
    "timeout": _constant(0),
}
"""All settings. One that can be changed has a `parse`; what goes by it reads `Parameters`."""


class Parameters:
    """The values of one listener in one worker."""

    def __init__(self, options: KvOptions) -> None:
        self._options = options
        self._record = b""
        self._changed: dict[str, str] = {}
        self._on_change: list[Callable[[], None]] = []

    def __getitem__(self, name: str) -> str:
        """Return a value, as CONFIG GET does."""
        changed = self._changed.get(name)
        return str(PARAMETERS[name].configured(self._options)) if changed is None else changed

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` called when values may have changed, and now."""
        self._on_change.append(call)
        call()

    def refresh(self, db: Keyspace) -> None:
        """Take the values that another worker may have set."""
        self._adopt(db.select(SYSTEM).get(_KEY) or b"")

    def set(self, db: Keyspace, values: dict[str, str]) -> None:
        """Set values for all workers, in a transaction."""
        system = db.select(SYSTEM)
        changed = json.loads(system.get(_KEY) or b"{}") | values
        changed = {name: value for name, value in changed.items() if value != self._configured(name)}
        record = json.dumps(changed).encode()
        system.put(_KEY, record)
        db.at_end.append(lambda: self._adopt(record))

    def _configured(self, name: str) -> str | None:
        found = PARAMETERS.get(name)
        return None if found is None else str(found.configured(self._options))

    def _adopt(self, record: bytes) -> None:
        if record != self._record:
            self._record = record
            self._changed = {name: value for name, value in json.loads(record or b"{}").items() if name in PARAMETERS}
            for call in self._on_change:
                call()
