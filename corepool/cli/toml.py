"""Settings written out as TOML, which reads back as the same settings, secrets aside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from corepool.cli.shown import shown
from corepool.config.cpus import available_cpus
from corepool.config.mistakes import join_path
from corepool.config.runtime import control_socket_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corepool.config.runtime import Origin
    from corepool.config.settings import Settings
    from corepool.plugins.registry import Registry


def resolved(settings: Settings, registry: Registry, origin: Origin) -> str:
    """Write every setting with its value; values that depend on the machine are resolved, or noted beside."""
    tables = shown(settings, registry)
    tables["control"] = {"socket": str(control_socket_path(settings, origin))}
    lines: list[str] = []
    for name, table in tables.items():
        if isinstance(table, list):
            for element in table:
                lines += [f"[[{name}]]", *_pairs(element), ""]
        else:
            lines += [f"[{name}]", *_pairs(table), ""]
    text = "\n".join(lines)
    return text.replace('workers = "auto"', f'workers = "auto"  # {available_cpus()} here')


def _pairs(table: Mapping[str, object]) -> Iterator[str]:
    return (f"{join_path('', (key,))} = {_value(value)}" for key, value in table.items() if value is not None)


def _value(value: object) -> str:
    match value:
        case str():
            # JSON's escapes are all TOML's too; DEL is the one character that only TOML wants escaped.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return f"{{ {', '.join(_pairs(cast('dict[str, object]', value)))} }}" if value else "{}"
        case _:
            return repr(value)  # numbers: Python's spelling, of infinity and nan as well, is TOML's
