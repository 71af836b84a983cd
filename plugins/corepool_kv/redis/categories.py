"""The ACL categories of commands, as Redis 7.0 has them: by their groups and flags, and a few exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from corepool_kv.redis.entry import Command

CATEGORIES = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
)  # fmt: skip
"""In the order of ACL CAT."""

_OF_GROUPS = {
    "generic": "keyspace",
    "string": "string",
    "hash": "hash",
    "list": "list",
    "set": "set",
    "sorted-set": "sortedset",
    "bitmap": "bitmap",
    "hyperloglog": "hyperloglog",
    "geo": "geo",
    "stream": "stream",
    "pubsub": "pubsub",
    "connection": "connection",
    "transactions": "transaction",
    "scripting": "scripting",
}
_EXCEPTIONS: Mapping[bytes, str] = {
    b"dbsize": "keyspace",
    b"flushall": "keyspace dangerous",
    b"flushdb": "keyspace dangerous",
    b"info": "dangerous",
    b"keys": "keyspace dangerous",
    b"pubsub|help": "",
    b"restore": "keyspace dangerous",
    b"role": "admin dangerous",
    b"sort": "set sortedset list dangerous",
    b"sort_ro": "set sortedset list dangerous",
    b"swapdb": "keyspace dangerous",
    b"wait": "connection",
}
"""What others have in the place of the category of their group."""


def categories_of(command: Command) -> list[str]:
    """Return the categories of a command."""
    container = command.name.partition(b"|")[0]
    usual = "" if command.subcommands else _OF_GROUPS.get(command.group, "")
    usual = "connection" if container == b"command" else usual
    found = set(_EXCEPTIONS.get(command.name, usual).split())
    flags = command.flags
    if "write" in flags:
        found.add("write")
    if "readonly" in flags and "scripting" not in found:
        found.add("read")
    if "admin" in flags:
        found |= {"admin", "dangerous"}
    found |= {"pubsub", "blocking"} & flags
    found.add("fast" if "fast" in flags else "slow")
    return sorted(found, key=CATEGORIES.index)


def names_in(category: str, commands: Iterable[Command]) -> list[bytes]:
    """Return the commands and subcommands of a category."""
    found = []
    for each in commands:
        if category in categories_of(each):
            found.append(each.name)
        found += names_in(category, each.subcommands.values())
    return found
