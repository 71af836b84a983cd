"""SWAPDB: two databases change their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.engine.line import Line
from corepool_kv.redis.numbers import parse_int32
from corepool_kv.redis.replies import OK, Error
from corepool_kv.stores import DATABASES

if TYPE_CHECKING:
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


def swapdb(server: ServerState, session: Session, db: Keyspace, args: list[bytes]) -> Reply:  # noqa: ARG001
    """Exchange them, and serve clients that wait for keys of either."""
    numbers = [_parse(text, name) for text, name in zip(args, ("first", "second"), strict=True)]
    if not all(0 <= number < DATABASES for number in numbers):
        raise Error("ERR DB index is out of range")
    first, second = numbers
    if first != second:
        db.swap(first, second)
        for number, key in Line(db).wanted({first, second}):
            here = db.select(number)
            record = here.find(key)
            if record is not None:
                here.gain(key, record.type)
    return OK


def _parse(text: bytes, name: str) -> int:
    try:
        return parse_int32(text)
    except Error:
        raise Error(f"ERR invalid {name} DB index") from None
