"""The rows of the table of commands for those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.commands import blocking
from corepool_kv.redis.entry import Command
from corepool_kv.redis.key_positions import numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.redis.entry import Demands

_WRITES, _BLOCKS = "write blocking", "write noscript blocking"
_ALL_BUT_LAST = (1, -2, 1)


def _row(
    group: str,
    name: str,
    demands: Demands,
    arity: int,
    flags: str,
    since: str,
    summary: str,
    keys: tuple[int, int, int] = (0, 0, 0),
    find_keys: Callable[[list[bytes]], list[bytes]] | None = None,
) -> Command:
    return Command(
        name.encode(),
        arity,
        frozenset(flags.split()),
        keys,
        group,
        since,
        summary,
        on_both=blocking.at_once(demands),
        demands=demands,
        find_keys=find_keys,
    )


THAT_WAIT = (
    _row(
        "list",
        "blmove",
        blocking.blmove,
        6,
        "write denyoom noscript blocking",
        "6.2.0",
        "Move an element between ends of lists; wait for one.",
        (1, 2, 1),
    ),
    _row(
        "list",
        "blmpop",
        blocking.blmpop,
        -5,
        "write blocking movablekeys",
        "7.0.0",
        "Remove and get elements of the first list there is; wait for one.",
        find_keys=numbered(2),
    ),
    _row(
        "list",
        "blpop",
        blocking.blpop,
        -3,
        _BLOCKS,
        "2.0.0",
        "Remove and get a first element; wait for one.",
        _ALL_BUT_LAST,
    ),
    _row(
        "list",
        "brpop",
        blocking.brpop,
        -3,
        _BLOCKS,
        "2.0.0",
        "Remove and get a last element; wait for one.",
        _ALL_BUT_LAST,
    ),
    _row(
        "list",
        "brpoplpush",
        blocking.brpoplpush,
        4,
        "write denyoom noscript blocking",
        "2.2.0",
        "Move a last element to the front of a list; wait for one.",
        (1, 2, 1),
    ),
    _row(
        "sorted-set",
        "bzmpop",
        blocking.bzmpop,
        -5,
        "write blocking movablekeys",
        "7.0.0",
        "Remove members of the first sorted set there is; wait for one.",
        find_keys=numbered(2),
    ),
    _row(
        "sorted-set",
        "bzpopmax",
        blocking.bzpopmax,
        -3,
        "write noscript fast blocking",
        "5.0.0",
        "Remove and get a member with the highest score; wait for one.",
        _ALL_BUT_LAST,
    ),
    _row(
        "sorted-set",
        "bzpopmin",
        blocking.bzpopmin,
        -3,
        "write noscript fast blocking",
        "5.0.0",
        "Remove and get a member with the lowest score; wait for one.",
        _ALL_BUT_LAST,
    ),
    _row(
        "generic",
        "wait",
        blocking.wait,
        3,
        "noscript",
        "3.0.0",
        "Wait for replicas: return 0, since it has none.",
    ),
)
