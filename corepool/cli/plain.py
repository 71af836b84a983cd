"""`corepool serve` and `corepool run`, called plainly: read without typer, which takes longer than all the rest.

Arguments count as plain if each is a flag that is known, in full and with its value, or a word in its place. Everything
else (help, mistakes, abbreviations, --reload) is left to typer, which reads the arguments from their beginning:
only there are they judged and explained.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corepool.cli.sections import FIXED, FIXED_LISTS, name_of, sections_for
from corepool.cli.serving import Arguments, serve
from corepool.cli.start import run
from corepool.cli.usage import UsageError
from corepool.config.load import Overrides
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | list[str] | bool

_PATHS = frozenset({"certfile", "keyfile", "env_file"})

_OF_RUN = ("workers", "dispatcher", "control", "log_level", "log_config", "env_file")


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a flag: the argument that it sets, and how."""

    key: str
    is_list: bool = False
    switch: bool | None = None
    """The value of a flag that takes none."""


def start_plainly(command: str, arguments: Sequence[str]) -> int | None:
    """Start a pool, and return the exit status once it has stopped; None: the arguments are not plain.

    :param command: "serve" or "run".
    """
    return _serve(arguments) if command == "serve" else _run(arguments)


def _serve(arguments: Sequence[str]) -> int | None:
    registry = Registry()
    read = read_serve(arguments, registry)
    if read is None:
        return None
    try:
        return serve(*read, registry, None)
    except UsageError:
        return None


def _run(arguments: Sequence[str]) -> int | None:
    read = read_plainly(arguments, {flag: Form(key) for flag, key in FIXED.items() if key in _OF_RUN}, ("config",))
    if read is None:
        return None
    texts = {key: value for key, value in read.items() if isinstance(value, str)}
    config, env_file = (Path(texts.pop(key)) if key in texts else None for key in ("config", "env_file"))
    return run(config, Overrides(**texts, environment=os.environ), env_file, None)


def read_serve(arguments: Sequence[str], registry: Registry) -> tuple[Arguments, dict[str, Value]] | None:
    """Read the arguments of `serve`, and the flags of keys by table and key; None: they are not plain."""
    forms = {flag: Form(key, key in FIXED_LISTS) for flag, key in FIXED.items() if not key.startswith("reload")}
    for section in sections_for(arguments, registry):
        for flag in section.flags:
            name, key = name_of(flag.name), f"{section.table}__{flag.key}"
            if flag.is_switch:
                forms[name], forms[f"--no-{name.removeprefix('--')}"] = Form(key, switch=True), Form(key, switch=False)
            else:
                forms[name] = Form(key, flag.is_list or flag.is_table)
    read = read_plainly(arguments, forms, ("protocol", "target"))
    if read is None or "protocol" not in read:
        return None
    more = {key: value for key, value in read.items() if "__" in key}
    own: Any = {key: Path(str(each)) if key in _PATHS else each for key, each in read.items() if key not in more}
    return Arguments(**own), more


def read_plainly(arguments: Sequence[str], forms: Mapping[str, Form], places: Sequence[str]) -> dict[str, Value] | None:
    """Read arguments; None: they are not plain.

    :param forms: the form of each flag, by its name.
    :param places: the names of the arguments that are no flags, in their order; any may be missing.
    """
    found: dict[str, Value] = {}
    words: list[str] = []
    rest = iter(arguments)
    for each in rest:
        if not each.startswith("-"):
            words.append(each)
            continue
        name, equals, text = each.partition("=")
        form = forms.get(name)
        if form is None or (equals and (form.switch is not None or not name.startswith("--"))):
            return None
        if form.switch is not None:
            value: Value = form.switch
        else:
            value = text if equals else next(rest, "-")
            if value.startswith("-") and not equals:
                return None
        if form.is_list and isinstance(value, str):
            held = found.setdefault(form.key, [])
            assert isinstance(held, list)
            held.append(value)
        elif form.key in found:
            return None
        else:
            found[form.key] = value
    if len(words) > len(places):
        return None
    return found | dict(zip(places, words, strict=False))
