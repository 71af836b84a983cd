"""flush_all: at once, or at a moment that is kept in the store, for all workers and over their deaths.

Each worker looks at that moment once a second; the first one that finds it past removes every item of the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.stores import SYSTEM

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace

_LATEST_MS = 1 << 62
_OK = b"OK\r\n"


def flush(db: Keyspace, *, delay_s: int) -> bytes:
    """Remove every item, or note when; a later command takes the place of an earlier one."""
    system = db.select(SYSTEM)
    if delay_s > 0:
        system.put(_note_of(db), b"%d" % min(db.now_ms + delay_s * 1000, _LATEST_MS))
    else:
        system.delete(_note_of(db))
        db.clear()
    return _OK


def is_due(db: Keyspace) -> bool:
    """Report whether the noted moment has come."""
    at = db.select(SYSTEM).get(_note_of(db))
    return at is not None and int(at) <= db.now_ms


def flush_if_due(db: Keyspace) -> bytes:
    """Remove every item, unless another worker has done so."""
    return flush(db, delay_s=0) if is_due(db) else b""


def _note_of(db: Keyspace) -> bytes:
    """Return the key, in the database SYSTEM, of the moment for a database."""
    return b"memcached flush at %d" % db.number
