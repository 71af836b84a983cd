"""Each command that we know is forwarded by its own key, answered by the listener, or refused as the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from documents import DOCS

from corepool_kv.redis.replies import Error
from corepool_kv.redis.table import COMMANDS
from corepool_kv.remote.kinds import KINDS, Way, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool_kv.redis.entry import Command

PAGE = (DOCS / "kv.md").read_text().replace("\n", " ")
KEYLESS = (Way.HERE, Way.REFUSED, Way.CHANNELS, Way.TRANSACTION, Way.EVERYWHERE)


def everything() -> Iterator[Command]:
    for command in COMMANDS.values():
        yield from command.subcommands.values() if command.subcommands else [command]


def requests(command: Command) -> Iterator[tuple[list[bytes], bytes | None]]:
    """Yield requests of a command, and the first key of each."""
    name = command.name.upper().split(b"|")
    place = command.keys[0]
    if place:
        words = [*name, *[b"x"] * (place - len(name)), b"key", b"y", b"z"]
        yield words, b"key"
    elif command.find_keys is None:
        yield [*name, b"x", b"y", b"z"], None
    else:
        for before in ([], [b"x"], [b"x", b"y"]):
            words = [*name, *before, b"1", b"key", b"y", b"z"]
            try:
                found = command.find_keys(words)
            except Error:
                continue
            if b"key" in found:
                yield words, found[0]


@pytest.mark.parametrize("command", [*everything()], ids=lambda each: each.name.decode())
def test_the_first_key_is_that_of_our_own_table(command: Command) -> None:
    for words, key in requests(command):
        kind = KINDS.get(words[0]) or kind_of(words)
        found = words[1] if kind.key is None else kind.key(words)
        if key is not None or kind.way not in KEYLESS:
            assert found == key, words


@pytest.mark.parametrize("command", [*everything()], ids=lambda each: each.name.decode())
def test_a_command_that_waits_has_a_link_of_its_own(command: Command) -> None:
    if command.demands is not None and command.name not in {b"xread", b"xreadgroup", b"wait", b"waitaof"}:
        assert KINDS[command.name].way is Way.BLOCKING


def test_the_page_names_every_command_that_is_refused() -> None:
    refused = {name.decode().upper() for name, kind in KINDS.items() if kind.way is Way.REFUSED}
    (paragraph,) = re.findall(r"\*\*Not forwarded\*\* are (.*?)\. The listener itself", PAGE)
    assert set(re.findall(r"[A-Z][A-Z-]+", re.sub(r"\(.*?\)", "", paragraph))) == refused


def test_the_page_names_every_command_that_the_listener_answers() -> None:
    here = {name.decode().upper() for name, kind in KINDS.items() if kind.way is Way.HERE}
    (sentence,) = re.findall(r"The listener itself answers (.*?);", PAGE)
    told = set(re.findall(r"[A-Z][A-Z-]+", sentence.partition(", and of CLIENT")[0])) | {"CLIENT"}
    assert told == here
