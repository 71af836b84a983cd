"""COMMAND INFO of each command and subcommand says what a real redis-server says: arity, flags, keys."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hiredis
import pytest
from kv_client import Client, encode
from running_redis import running_redis

from corepool.testing.waiting import DEADLINE_S
from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from conftest import Pair

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
        found.append([[row[0], row[1], sorted(map(bytes, row[2])), row[3:6]] for row in reader.gets()])

    assert found[1] == found[0]


def test_each_command_of_redis_is_offered_or_named_on_the_page(tmp_path: Path) -> None:
    with running_redis(tmp_path) as path, socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        names = all_names(Client(sock)("COMMAND"))
    section = PAGE.read_text().partition("## Commands that are not offered")[2].partition("\n## ")[0]
    named = {name.replace(" ", "|").lower() for name in re.findall(r"`([A-Z_ -]+)`", section)}
    offered = {each.name.decode() for row in COMMANDS.values() for each in (row, *row.subcommands.values())}

    # A container that is not there is named for all that it contains.
    assert {name for name in names - offered if not named & {name, name.partition("|")[0]}} == set()
    assert named & offered == set()
    assert named <= names


def all_names(rows: list[Any]) -> set[str]:
    return {row[0].decode() for row in rows}.union(*(all_names(row[9]) for row in rows))
