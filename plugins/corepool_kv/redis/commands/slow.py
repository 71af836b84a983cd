"""SLOWLOG: the commands that took longest, of all workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis import slowlog
from corepool_kv.redis.numbers import LARGEST, parse_range
from corepool_kv.redis.replies import OK, gather

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_COUNT = 10


def get(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    count = _COUNT
    if args:
        count = parse_range(args[0], -1, LARGEST, "ERR count should be greater than or equal to -1")
    return gather(slowlog.entries(db, count), db.limits.reply)


def length(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    return slowlog.length(db)


def reset(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    slowlog.forget(db)
    return OK
