"""Arguments that are read without typer are read as typer reads them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corepool.cli.commands import Commands
from corepool.cli.plain import read_serve
from corepool.cli.sections import FIXED, FIXED_LISTS
from corepool.cli.serving import Arguments
from corepool.plugins.registry import Registry

REGISTRY = Registry()


def read_by_typer(arguments: list[str]) -> dict[str, object]:
    """Return the arguments that were given, by the names of their parameters."""
    command = Commands().get_command(None, "serve", arguments)
    context = command.make_context("serve", list(arguments))
    given = {key: each for key, each in context.params.items() if each not in (None, (), [], False)}
    return {key: each for key, each in given.items() if not key.startswith("reload")}


def read_here(arguments: list[str]) -> dict[str, object] | None:
    read = read_serve(arguments, REGISTRY)
    if read is None:
        return None
    fixed, more = read
    own = {key: getattr(fixed, key) for key in Arguments.__slots__}
    return {key: each for key, each in {**own, **more}.items() if each not in (None, False)}


@pytest.mark.parametrize(
    "arguments",
    [
        ["http", "app:app"],
        ["http", "app:app", "-b", "8000", "--bind=:9", "-w", "2", "-d", "kernel", "--control=x", "--env-file", "e"],
        ["--threads", "4", "http", "app:app", "--listing", "--no-deflate", "--static", "/a=b", "--static=/c=d=e"],
        ["kv", "-o", "store=memory:", "--option=max_line=64", "--idle-timeout", "3s", "--extension", "access"],
        ["echo", "--dispatcher-option", "a=b", "--extension-option=limits.x=1", "--log-level", "debug"],
    ],
)
def test_plain_arguments_are_read_as_typer_reads_them(arguments: list[str]) -> None:
    read = read_here(arguments)

    assert read == read_by_typer(arguments)


WORDS = st.sampled_from(
    [
        *FIXED,
        "http",
        "app:app",
        "8000",
        "a=b",
        "-",
        "--",
        "-w2",
        "-bw",
        "--help",
        "--threads",
        "--threads=3",
        "--no-listing",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=st.lists(WORDS, max_size=5))
def test_any_words_that_count_as_plain_are_what_typer_reads(arguments: list[str]) -> None:
    read = read_here(arguments)

    if read is not None:
        assert read == read_by_typer(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["http", "--help"],
        ["http", "a", "b"],
        ["http", "-w"],
        ["http", "-w", "-2"],
        ["http", "-w2"],
        ["http", "-w", "1", "-w", "2"],
        ["http", "--thread", "2"],
        ["http", "--listing=yes"],
        ["http", "--reload"],
        ["--", "http"],
    ],
)
def test_what_has_to_be_explained_is_left_to_typer(arguments: list[str]) -> None:
    assert read_here(arguments) is None


def test_the_table_of_flags_is_that_of_the_command() -> None:
    command = Commands().get_command(None, "serve", ["nothing"])
    options = [each for each in command.params if each.param_type_name == "option" and "__" not in each.name]

    assert {flag: each.name for each in options for flag in each.opts} == FIXED
    assert {each.name for each in options if each.multiple and not each.name.startswith("reload")} == FIXED_LISTS
