"""COMMAND says of each command and subcommand what a real redis-server says: arity, flags, keys, categories, group.

And each of Redis's commands is either offered or named on the page, with the reason.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hiredis
import pytest
from kv_client import Client, encode

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S
from corepool_kv.redis.categories import CATEGORIES
from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from conftest import Pair

    from corepool_kv.redis.entry import Command

PAGE = Path(__file__).parents[3] / "docs" / "kv.md"

NEWER = {b"client|no-touch", b"client|setinfo"}
"""Of Redis 7.2: libraries send them."""


@pytest.mark.parametrize("name", COMMANDS, ids=lambda name: name.decode())
def test_a_row_is_that_of_redis(pair: Pair, name: bytes) -> None:
    command = COMMANDS[name]
    names = [name, *(each.name for each in command.subcommands.values() if each.name not in NEWER)]
    found = []
    for replies in pair.ask(encode(("COMMAND", "INFO", *names))):
        reader = hiredis.Reader()
        reader.feed(replies)
        rows = reader.gets()
        found.append([[row[0], row[1], sorted(row[2]), row[3:6], sorted(row[6])] for row in rows])

    assert found[1] == found[0]


def ask(pair: Pair, *words: object) -> tuple[Any, Any]:
    """Return Redis's reply and ours."""
    with socket.socket(socket.AF_UNIX) as redis, connect(pair.ours.urls()[0]) as ours:
        redis.settimeout(DEADLINE_S)
        redis.connect(str(pair.redis))
        return Client(redis)(*words), Client(ours)(*words)


def facts(docs: list[Any]) -> dict[bytes, tuple[bytes, bytes]]:
    """Return since when each command of COMMAND DOCS is there, and its group; of subcommands, too."""
    found = {}
    for name, described in zip(docs[::2], docs[1::2], strict=True):
        fields = dict(zip(described[::2], described[1::2], strict=True))
        found[name] = (fields[b"since"], fields[b"group"])
        found |= facts(fields.get(b"subcommands", []))
    return found


def test_documentation_of_commands_is_about_those_of_redis(pair: Pair) -> None:
    theirs, ours = map(facts, ask(pair, "COMMAND", "DOCS"))

    assert {name: found for name, found in ours.items() if name not in NEWER and theirs.get(name) != found} == {}
    for words in (("nosuch",), ("GET", "nosuch", "client|id")):
        theirs, ours = map(facts, ask(pair, "COMMAND", "DOCS", *words))
        assert theirs == ours


def test_commands_are_counted_as_they_are_listed(pair: Pair) -> None:
    (_, count), (_, names) = ask(pair, "COMMAND", "COUNT"), ask(pair, "COMMAND", "LIST")

    assert count == len(names) == len(COMMANDS)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_category_has_the_commands_that_it_has_in_redis(pair: Pair, category: str) -> None:
    theirs, ours = map(set, ask(pair, "ACL", "CAT", category))
    known = set(COMMANDS) | {each.name for container in COMMANDS.values() for each in container.subcommands.values()}

    assert ours - NEWER == theirs & known
    theirs, ours = map(set, ask(pair, "COMMAND", "LIST", "FILTERBY", "ACLCAT", category))
    assert ours - NEWER == theirs & known


def test_each_command_of_redis_is_offered_or_named_with_the_reason(pair: Pair) -> None:
    theirs, _ = ask(pair, "COMMAND", "DOCS")
    section = PAGE.read_text().partition("## Commands that are not offered")[2].partition("\n## ")[0]
    named = {name.replace(" ", "|") for name in re.findall(r"`([A-Z_ -]+)`", section)}
    everything = {name.decode().upper() for name in facts(theirs)}
    offered = {each.name.decode().upper() for command in COMMANDS.values() for each in all_of(command)}

    # A container that is not there is named for all that it contains.
    missing = {name for name in everything - offered if name not in named and name.partition("|")[0] not in named}
    assert missing == set()
    assert named & offered == set()
    assert named <= everything


def all_of(command: Command) -> list[Command]:
    return [command, *command.subcommands.values()]
