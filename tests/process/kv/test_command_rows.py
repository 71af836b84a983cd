"""COMMAND INFO of each command and subcommand says what a real redis-server says: arity, flags, keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hiredis
import pytest
from kv_client import encode

from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from conftest import Pair

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
