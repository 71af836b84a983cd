"""The rows of the table of commands for streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import blocking, stream_claims, stream_groups, stream_info, stream_reading, streams
from corepool_kv.redis.entry import Command

if TYPE_CHECKING:
    from corepool_kv.redis.entry import Demands, OnData

    Row = tuple[str, OnData, int, str, str, str]
    """Name, handler, arity, flags, since, summary. The first argument is the key."""
    Subrow = tuple[str, str, OnData, int, str, str]
    """Name and syntax, handler, arity, since, summary. The first argument is the key."""

_GROUP = "stream"
_READ, _WRITE = "readonly fast", "write denyoom fast"

_ROWS: tuple[Row, ...] = (
    ("xack", stream_groups.xack, -4, "write fast", "5.0.0", "Acknowledge entries that a group has delivered."),
    ("xadd", streams.xadd, -5, _WRITE, "5.0.0", "Add an entry to a stream."),
    ("xautoclaim", stream_claims.xautoclaim, -6, "write fast", "6.2.0", "Take over entries that nothing acknowledges."),
    ("xclaim", stream_claims.xclaim, -6, "write fast", "5.0.0", "Take over entries that were not acknowledged."),
    ("xdel", streams.xdel, -3, "write fast", "5.0.0", "Remove entries of a stream."),
    ("xlen", streams.xlen, 2, _READ, "5.0.0", "Count the entries of a stream."),
    ("xpending", stream_groups.xpending, -3, "readonly", "5.0.0", "List entries that were not acknowledged."),
    ("xrange", streams.xrange, -4, "readonly", "5.0.0", "Get the entries in a range of IDs."),
    ("xrevrange", streams.xrevrange, -4, "readonly", "5.0.0", "Get the entries in a range of IDs from the end."),
    ("xsetid", streams.xsetid, -3, _WRITE, "5.0.0", "Set the last ID of a stream."),
    ("xtrim", streams.xtrim, -4, "write", "5.0.0", "Remove the oldest entries of a stream."),
)


def _reading(name: str, demands: Demands, arity: int, flags: str, summary: str) -> Command:
    return Command(
        name.encode(),
        arity,
        frozenset(flags.split()),
        (0, 0, 0),
        _GROUP,
        "5.0.0",
        summary,
        on_both=blocking.at_once(demands),
        demands=demands,
        find_keys=stream_reading.find_keys,
    )


ON_STREAMS = (
    *(
        Command(name.encode(), arity, frozenset(flags.split()), (1, 1, 1), _GROUP, since, summary, on_data=handler)
        for name, handler, arity, flags, since, summary in _ROWS
    ),
    _reading(
        "xread", stream_reading.xread, -4, "readonly blocking movablekeys", "Get new entries of streams; wait for some."
    ),
    _reading(
        "xreadgroup",
        stream_reading.xreadgroup,
        -7,
        "write blocking movablekeys",
        "Get entries for a consumer of a group; wait for some.",
    ),
)

INFO: tuple[Subrow, ...] = (
    ("CONSUMERS", "<key> <groupname>", stream_info.consumers, 4, "5.0.0", "Return the consumers of a group."),
    ("GROUPS", "<key>", stream_info.groups, 3, "5.0.0", "Return the groups of a stream."),
    ("STREAM", "<key> [FULL [COUNT <count>]]", stream_info.stream, -3, "5.0.0", "Return facts about a stream."),
)

_GROUPS: tuple[tuple[str, str, OnData, int, str, str, str], ...] = (
    (
        "CREATE",
        "<key> <groupname> <id|$> [MKSTREAM] [ENTRIESREAD <entries_read>]",
        stream_groups.create,
        -5,
        "write denyoom",
        "5.0.0",
        "Create a group of consumers.",
    ),
    (
        "CREATECONSUMER",
        "<key> <groupname> <consumer>",
        stream_groups.createconsumer,
        5,
        "write denyoom",
        "6.2.0",
        "Create a consumer in a group.",
    ),
    (
        "DELCONSUMER",
        "<key> <groupname> <consumer>",
        stream_groups.delconsumer,
        5,
        "write",
        "5.0.0",
        "Remove a consumer, and return the number of its entries.",
    ),
    ("DESTROY", "<key> <groupname>", stream_groups.destroy, 4, "write", "5.0.0", "Remove a group."),
    (
        "SETID",
        "<key> <groupname> <id|$> [ENTRIESREAD <entries_read>]",
        stream_groups.setid,
        -5,
        "write",
        "5.0.0",
        "Set the last delivered ID of a group.",
    ),
)

GROUPS = tuple(
    Command(
        f"xgroup|{word.lower()}".encode(),
        arity,
        frozenset(flags.split()),
        (2, 2, 1),
        _GROUP,
        since,
        summary,
        on_data=handler,
        syntax=f"{word} {syntax}",
    )
    for word, syntax, handler, arity, flags, since, summary in _GROUPS
)
