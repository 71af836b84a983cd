"""The rows of the table of commands for bits, and for SORT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import bitfields, bits, sorting
from corepool_kv.redis.entry import Command

if TYPE_CHECKING:
    from corepool_kv.redis.entry import OnData


def _bitmap(
    name: str, handler: OnData, arity: int, flags: str, since: str, summary: str, keys: tuple[int, int, int] = (1, 1, 1)
) -> Command:
    return Command(name.encode(), arity, frozenset(flags.split()), keys, "bitmap", since, summary, on_data=handler)


def _sort(name: str, handler: OnData, flags: str, since: str, summary: str) -> Command:
    return Command(
        name.encode(),
        -2,
        frozenset(flags.split()),
        (1, 1, 1),
        "generic",
        since,
        summary,
        on_data=handler,
        find_keys=sorting.find_keys,
    )


ON_BITS = (
    _bitmap("bitcount", bits.bitcount, -2, "readonly", "2.6.0", "Count the bits of a string that are 1."),
    _bitmap(
        "bitfield", bitfields.bitfield, -2, "write denyoom", "3.2.0", "Get, set and increment numbers in a string."
    ),
    _bitmap("bitfield_ro", bitfields.bitfield_ro, -2, "readonly fast", "6.0.0", "Get numbers in a string."),
    _bitmap("bitop", bits.bitop, -4, "write denyoom", "2.6.0", "Combine strings bit by bit.", (2, -1, 1)),
    _bitmap("bitpos", bits.bitpos, -3, "readonly", "2.8.7", "Find the first bit that is 1, or 0."),
    _bitmap("getbit", bits.getbit, 3, "readonly fast", "2.2.0", "Get a bit of a string."),
    _bitmap("setbit", bits.setbit, 4, "write denyoom", "2.2.0", "Set a bit of a string."),
    _sort("sort", sorting.sort, "write denyoom movablekeys", "1.0.0", "Sort the elements of a collection."),
    _sort("sort_ro", sorting.sort_ro, "readonly movablekeys", "7.0.0", "Sort the elements of a collection; no STORE."),
)
