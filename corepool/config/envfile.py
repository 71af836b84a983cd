"""Files of variables, `KEY=VALUE` a line, for `--env-file`: the lines that docker, systemd and python-dotenv agree on.

A variable that the environment has already keeps its value, as with python-dotenv. The names of those that came from
the file are noted in the environment itself: at a reload, and in the master that an upgrade executes, the file counts
again for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool.errors import ConfigError
from corepool.files.reading import read_whole

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

FROM_FILE = "_COREPOOL_FROM_ENV_FILE"
"""The variable with the names of those that came from the file."""

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LIMIT = 1024 * 1024


def load_env_file(path: Path, environment: MutableMapping[str, str]) -> None:
    """Put the variables of a file into the environment.

    :raises ConfigError: it can't be read; or with every mistake in it. Nothing has changed then.
    """
    try:
        text = read_whole(path, _LIMIT).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text, or no path"
        raise ConfigError([f"--env-file {path}: can't be read: {reason}"]) from None
    if len(text) > _LIMIT:
        raise ConfigError([f"--env-file {path}: larger than {_LIMIT} bytes"])
    values, mistakes = parse_env(text)
    if mistakes:
        raise ConfigError(mistakes, str(path))
    earlier = {name for name in environment.get(FROM_FILE, "").split() if name}
    for name in earlier - set(values):
        environment.pop(name, None)
    ours = {name for name in values if name in earlier or name not in environment}
    for name in ours:
        environment[name] = values[name]
    environment[FROM_FILE] = " ".join(sorted(ours))


def parse_env(text: str) -> tuple[dict[str, str], list[str]]:
    r"""Return the variables of a text, and its mistakes, which name their lines.

    Empty lines and those that begin with # say nothing. A value may be in single quotes, in which everything stands for
    itself, or in double quotes with \n, \t, \r, \" and \\; without quotes, ` #` begins a comment.
    """
    values: dict[str, str] = {}
    mistakes: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            mistakes.append(f"line {number}: expected NAME=VALUE")
            continue
        name, written = found.groups()
        value = _value(written)
        if value is None:
            mistakes.append(f"line {number}: the quotes of {name} don't end, or something comes behind them")
        elif "\0" in value:
            mistakes.append(f"line {number}: {name} has a NUL byte in it")
        else:
            values[name] = value
    return values, mistakes


def _value(behind_equals: str) -> str | None:
    # With the spaces before it: ` #` begins a comment behind an empty value, too.
    written = behind_equals.strip()
    if written.startswith("'"):
        found = re.fullmatch(r"'([^']*)'\s*(#.*)?", written)
        return found[1] if found else None
    if written.startswith('"'):
        found = re.fullmatch(r'"((?:[^"\\]|\\.)*)"\s*(#.*)?', written)
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), found[1]) if found else None
    return re.split(r"\s#", behind_equals, maxsplit=1)[0].strip()
