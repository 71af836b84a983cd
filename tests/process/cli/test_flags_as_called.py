"""`serve` tells its parser about the flags that it was called with, and of all when one is unknown."""

from __future__ import annotations

import inspect

from corepool.cli.serve import serve_as_called, serve_for


def more_flags(arguments: list[str]) -> set[str]:
    return {name for name in inspect.signature(serve_as_called(arguments)).parameters if "__" in name}


def test_flags_that_were_not_given_are_not_built() -> None:
    assert more_flags(["http", "app:app", "-w", "2", "-b", "8000", "--control", "here"]) == set()
    assert more_flags(["--threads=4", "http", "app:app", "--no-listing", "--idle-timeout", "3s"]) == {
        "options__threads",
        "options__listing",
        "listener__idle_timeout",
    }


def test_help_and_unknown_flags_need_all() -> None:
    every = {name for name in inspect.signature(serve_for(["http"])).parameters if "__" in name}

    assert more_flags(["http", "--help"]) == every
    assert more_flags(["http", "-h"]) == every
    assert more_flags(["http", "--thread", "4"]) == every
