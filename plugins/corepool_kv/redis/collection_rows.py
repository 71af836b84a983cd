"""The rows of the table of commands for hashes, lists, sets and sorted sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import hashes
from corepool_kv.redis.entry import Command

if TYPE_CHECKING:
    from corepool_kv.redis.entry import OnData

    Row = tuple[str, OnData, int, str, str, str]
    """Name, handler, arity, flags, since, summary. Its key is the first argument."""

_READ, _WRITE = "readonly fast", "write denyoom fast"

_HASHES: tuple[Row, ...] = (
    ("hdel", hashes.hdel, -3, "write fast", "2.0.0", "Remove fields of a hash."),
    ("hexists", hashes.hexists, 3, _READ, "2.0.0", "Tell whether a field exists."),
    ("hget", hashes.hget, 3, _READ, "2.0.0", "Get the value of a field."),
    ("hgetall", hashes.hgetall, 2, "readonly", "2.0.0", "Get all fields and values of a hash."),
    ("hincrby", hashes.hincrby, 4, _WRITE, "2.0.0", "Increment a number in a field."),
    ("hincrbyfloat", hashes.hincrbyfloat, 4, _WRITE, "2.6.0", "Increment a floating-point number in a field."),
    ("hkeys", hashes.hkeys, 2, "readonly", "2.0.0", "Get all fields of a hash."),
    ("hlen", hashes.hlen, 2, _READ, "2.0.0", "Count the fields of a hash."),
    ("hmget", hashes.hmget, -3, _READ, "2.0.0", "Get the values of several fields."),
    ("hmset", hashes.hmset, -4, _WRITE, "2.0.0", "Set several fields; HSET's old name."),
    ("hrandfield", hashes.hrandfield, -2, "readonly", "6.2.0", "Get random fields of a hash."),
    ("hscan", hashes.hscan, -3, "readonly", "2.8.0", "List fields and values a few at a time."),
    ("hset", hashes.hset, -4, _WRITE, "2.0.0", "Set fields of a hash."),
    ("hsetnx", hashes.hsetnx, 4, _WRITE, "2.0.0", "Set a field if it does not exist."),
    ("hstrlen", hashes.hstrlen, 3, _READ, "3.2.0", "Tell the length of a field's value."),
    ("hvals", hashes.hvals, 2, "readonly", "2.0.0", "Get all values of a hash."),
)


def _commands(group: str, rows: tuple[Row, ...]) -> tuple[Command, ...]:
    return tuple(
        Command(name.encode(), arity, frozenset(flags.split()), (1, 1, 1), group, since, summary, on_data=handler)
        for name, handler, arity, flags, since, summary in rows
    )


ON_COLLECTIONS = (*_commands("hash", _HASHES),)
