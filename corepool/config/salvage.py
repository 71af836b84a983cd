"""The usable part of a configuration that has mistakes, so that the rest of it can be checked as well.

A value that was refused gives way to its default, or to a stand-in where there is none. Nothing is ever
started from the result: it only lets the checks that need whole settings (names, URLs, plugins) run
and add what they find, less what they find about the stand-ins.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from corepool.config.mistakes import find_mistakes
from corepool.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.config.mistakes import KeyPath

_PASSES = 3  # a listener that is not a table first becomes an empty one, then gets its required keys


def salvage(raw: Mapping[str, object]) -> Settings | None:
    """Make settings of the valid part of `raw`; None if there is too little of it."""
    table = deepcopy(dict(raw))
    for _ in range(_PASSES):
        try:
            return Settings.model_validate(table)
        except ValueError as error:  # pydantic's
            for mistake in find_mistakes(error, Settings):
                _mend(table, mistake.path)
    return None


def _mend(table: dict[str, object], path: KeyPath) -> None:
    *parents, last = path
    holder: Any = table
    try:
        for part in parents:
            holder = holder[part]
    except LookupError:  # what holds it was itself refused, and has gone already
        return
    if isinstance(holder, list) and isinstance(last, int):
        holder[last] = {} if parents in (["listener"], ["pool"]) else "stand-in:"
    elif isinstance(holder, dict):
        holder.pop(last, None)
        if parents[:1] == ["listener"] and len(parents) == 2 and last in ("name", "bind", "protocol"):
            holder[last] = ["stand-in:"] if last == "bind" else f"stand-in-{parents[1]}"
