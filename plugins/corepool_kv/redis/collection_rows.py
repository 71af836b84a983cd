"""The rows of the table of commands for hashes, lists, sets and sorted sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import (
    hashes,
    lists,
    set_operations,
    sets,
    sorted_operations,
    sorted_ranges,
    sorted_sets,
)
from corepool_kv.redis.entry import Command
from corepool_kv.redis.key_positions import numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.redis.entry import OnData

    FindKeys = Callable[[list[bytes]], list[bytes]]
    Row = tuple[str, OnData, int, str, str, str]
    """Name, handler, arity, flags, since, summary. The first argument is the key."""

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


_LISTS: tuple[Row, ...] = (
    ("lindex", lists.lindex, 3, "readonly", "1.0.0", "Get an element by its index."),
    ("linsert", lists.linsert, 5, "write denyoom", "2.2.0", "Insert an element before or after another."),
    ("llen", lists.llen, 2, _READ, "1.0.0", "Tell the length of a list."),
    ("lpop", lists.lpop, -2, "write fast", "1.0.0", "Remove and get the first elements of a list."),
    ("lpos", lists.lpos, -3, "readonly", "6.0.6", "Find the indexes of equal elements."),
    ("lpush", lists.lpush, -3, _WRITE, "1.0.0", "Put elements in front of a list."),
    ("lpushx", lists.lpushx, -3, _WRITE, "2.2.0", "Put elements in front of a list if it exists."),
    ("lrange", lists.lrange, 4, "readonly", "1.0.0", "Get a range of elements."),
    ("lrem", lists.lrem, 4, "write", "1.0.0", "Remove equal elements."),
    ("lset", lists.lset, 4, "write denyoom", "1.0.0", "Replace an element by its index."),
    ("ltrim", lists.ltrim, 4, "write", "1.0.0", "Keep a range of elements alone."),
    ("rpop", lists.rpop, -2, "write fast", "1.0.0", "Remove and get the last elements of a list."),
    ("rpush", lists.rpush, -3, _WRITE, "1.0.0", "Put elements at the end of a list."),
    ("rpushx", lists.rpushx, -3, _WRITE, "2.2.0", "Put elements at the end of a list if it exists."),
)


_SETS: tuple[Row, ...] = (
    ("sadd", sets.sadd, -3, _WRITE, "1.0.0", "Add members to a set."),
    ("scard", sets.scard, 2, _READ, "1.0.0", "Count the members of a set."),
    ("sismember", sets.sismember, 3, _READ, "1.0.0", "Tell whether a member is in a set."),
    ("smembers", sets.smembers, 2, "readonly", "1.0.0", "Get all members of a set."),
    ("smismember", sets.smismember, -3, _READ, "6.2.0", "Tell which members are in a set."),
    ("spop", sets.spop, -2, "write fast", "1.0.0", "Remove and get random members."),
    ("srandmember", sets.srandmember, -2, "readonly", "1.0.0", "Get random members."),
    ("srem", sets.srem, -3, "write fast", "1.0.0", "Remove members of a set."),
    ("sscan", sets.sscan, -3, "readonly", "2.8.0", "List members a few at a time."),
)

_TWO_KEYS = (1, 2, 1)
_ALL_KEYS = (1, -1, 1)


def _commands(group: str, rows: tuple[Row, ...]) -> tuple[Command, ...]:
    return tuple(
        Command(name.encode(), arity, frozenset(flags.split()), (1, 1, 1), group, since, summary, on_data=handler)
        for name, handler, arity, flags, since, summary in rows
    )


def _command(
    group: str, row: Row, keys: tuple[int, int, int] = (0, 0, 0), find_keys: FindKeys | None = None
) -> Command:
    name, handler, arity, flags, since, summary = row
    words = frozenset(flags.split())
    return Command(name.encode(), arity, words, keys, group, since, summary, on_data=handler, find_keys=find_keys)


def _numbered(group: str, row: Row) -> Command:
    """Return a command whose first argument is the number of keys behind it."""
    return _command(group, row, find_keys=numbered(1))


_LISTS_OF_OTHER_KEYS = (
    _command(
        "list", ("lmove", lists.lmove, 5, "write denyoom", "6.2.0", "Move an element between ends of lists."), _TWO_KEYS
    ),
    _command(
        "list",
        ("rpoplpush", lists.rpoplpush, 3, "write denyoom", "1.2.0", "Move a last element to the front of a list."),
        _TWO_KEYS,
    ),
    _numbered(
        "list",
        ("lmpop", lists.lmpop, -4, "write movablekeys", "7.0.0", "Remove and get elements of the first list there is."),
    ),
)
_SET_OPERATIONS: tuple[Row, ...] = (
    ("sdiff", set_operations.sdiff, -2, "readonly", "1.0.0", "Subtract sets."),
    ("sdiffstore", set_operations.sdiffstore, -3, "write denyoom", "1.0.0", "Subtract sets, and store the result."),
    ("sinter", set_operations.sinter, -2, "readonly", "1.0.0", "Intersect sets."),
    ("sinterstore", set_operations.sinterstore, -3, "write denyoom", "1.0.0", "Intersect sets, and store the result."),
    ("sunion", set_operations.sunion, -2, "readonly", "1.0.0", "Unite sets."),
    ("sunionstore", set_operations.sunionstore, -3, "write denyoom", "1.0.0", "Unite sets, and store the result."),
)
_SETS_OF_OTHER_KEYS = (
    *(_command("set", row, _ALL_KEYS) for row in _SET_OPERATIONS),
    _command("set", ("smove", sets.smove, 4, "write fast", "1.0.0", "Move a member to another set."), _TWO_KEYS),
    _numbered(
        "set",
        ("sintercard", set_operations.sintercard, -3, "readonly movablekeys", "7.0.0", "Count common members of sets."),
    ),
)

_SORTED_SETS: tuple[Row, ...] = (
    ("zadd", sorted_sets.zadd, -4, _WRITE, "1.2.0", "Add members to a sorted set, or set their scores."),
    ("zcard", sorted_sets.zcard, 2, _READ, "1.2.0", "Count the members of a sorted set."),
    ("zcount", sorted_ranges.zcount, 4, _READ, "2.0.0", "Count the members in a range of scores."),
    ("zincrby", sorted_sets.zincrby, 4, _WRITE, "1.2.0", "Increment the score of a member."),
    ("zlexcount", sorted_ranges.zlexcount, 4, _READ, "2.8.9", "Count the members in a range of bytes."),
    ("zmscore", sorted_sets.zmscore, -3, _READ, "6.2.0", "Get the scores of several members."),
    ("zpopmax", sorted_sets.zpopmax, -2, "write fast", "5.0.0", "Remove and get members with the highest scores."),
    ("zpopmin", sorted_sets.zpopmin, -2, "write fast", "5.0.0", "Remove and get members with the lowest scores."),
    ("zrandmember", sorted_sets.zrandmember, -2, "readonly", "6.2.0", "Get random members."),
    ("zrange", sorted_ranges.zrange, -4, "readonly", "1.2.0", "Get the members in a range of ranks, scores or bytes."),
    ("zrangebylex", sorted_ranges.zrangebylex, -4, "readonly", "2.8.9", "Get the members in a range of bytes."),
    ("zrangebyscore", sorted_ranges.zrangebyscore, -4, "readonly", "1.0.5", "Get the members in a range of scores."),
    ("zrank", sorted_sets.zrank, 3, _READ, "2.0.0", "Tell the rank of a member, from the lowest score."),
    ("zrem", sorted_sets.zrem, -3, "write fast", "1.2.0", "Remove members of a sorted set."),
    ("zremrangebylex", sorted_ranges.zremrangebylex, 4, "write", "2.8.9", "Remove the members in a range of bytes."),
    ("zremrangebyrank", sorted_ranges.zremrangebyrank, 4, "write", "2.0.0", "Remove the members in a range of ranks."),
    (
        "zremrangebyscore",
        sorted_ranges.zremrangebyscore,
        4,
        "write",
        "1.2.0",
        "Remove the members in a range of scores.",
    ),
    (
        "zrevrange",
        sorted_ranges.zrevrange,
        -4,
        "readonly",
        "1.2.0",
        "Get the members in a range of ranks from the end.",
    ),
    ("zrevrangebylex", sorted_ranges.zrevrangebylex, -4, "readonly", "2.8.9", "ZRANGEBYLEX from the end."),
    ("zrevrangebyscore", sorted_ranges.zrevrangebyscore, -4, "readonly", "2.2.0", "ZRANGEBYSCORE from the end."),
    ("zrevrank", sorted_sets.zrevrank, 3, _READ, "2.0.0", "Tell the rank of a member, from the highest score."),
    ("zscan", sorted_sets.zscan, -3, "readonly", "2.8.0", "List members and scores a few at a time."),
    ("zscore", sorted_sets.zscore, 3, _READ, "1.2.0", "Get the score of a member."),
)
_SORTED_OPERATIONS: tuple[Row, ...] = (
    ("zdiff", sorted_operations.zdiff, -3, "readonly movablekeys", "6.2.0", "Subtract sorted sets."),
    ("zinter", sorted_operations.zinter, -3, "readonly movablekeys", "6.2.0", "Intersect sorted sets."),
    ("zintercard", sorted_operations.zintercard, -3, "readonly movablekeys", "7.0.0", "Count common members."),
    ("zmpop", sorted_sets.zmpop, -4, "write movablekeys", "7.0.0", "Remove members of the first sorted set there is."),
    ("zunion", sorted_operations.zunion, -3, "readonly movablekeys", "6.2.0", "Unite sorted sets."),
)
_STORE = "write denyoom movablekeys"
_SORTED_STORES: tuple[Row, ...] = (
    ("zdiffstore", sorted_operations.zdiffstore, -4, _STORE, "6.2.0", "Subtract sorted sets, and store the result."),
    ("zinterstore", sorted_operations.zinterstore, -4, _STORE, "2.0.0", "Intersect sorted sets, and store the result."),
    ("zunionstore", sorted_operations.zunionstore, -4, _STORE, "2.0.0", "Unite sorted sets, and store the result."),
)
_SORTED_SETS_OF_OTHER_KEYS = (
    *(_numbered("sorted-set", row) for row in _SORTED_OPERATIONS),
    *(_command("sorted-set", row, (1, 1, 1), numbered(2, has_target=True)) for row in _SORTED_STORES),
    _command(
        "sorted-set",
        ("zrangestore", sorted_ranges.zrangestore, -5, "write denyoom", "6.2.0", "Store a range of a sorted set."),
        _TWO_KEYS,
    ),
)

ON_COLLECTIONS = (
    *_commands("hash", _HASHES),
    *_commands("list", _LISTS),
    *_LISTS_OF_OTHER_KEYS,
    *_commands("set", _SETS),
    *_SETS_OF_OTHER_KEYS,
    *_commands("sorted-set", _SORTED_SETS),
    *_SORTED_SETS_OF_OTHER_KEYS,
)
