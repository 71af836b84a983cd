"""The flags of `serve`: those that it always has, and those made of a protocol's options and of two tables' keys.

Nothing here needs typer: a start that is called plainly does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.config.flags import flags_of
from corepool.config.plugin_options import is_options
from corepool.config.settings import ListenerSettings, PoolSettings
from corepool.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pydantic import BaseModel

    from corepool.config.flags import Flag
    from corepool.plugins.registry import Registry

FIXED: Mapping[str, str] = {
    "-b": "bind",
    "--bind": "bind",
    "--certfile": "certfile",
    "--keyfile": "keyfile",
    "-w": "workers",
    "--workers": "workers",
    "-d": "dispatcher",
    "--dispatcher": "dispatcher",
    "-o": "option",
    "--option": "option",
    "--dispatcher-option": "dispatcher_option",
    "--scaler-option": "scaler_option",
    "--extension-option": "extension_option",
    "--control": "control",
    "--log-level": "log_level",
    "--log-config": "log_config",
    "--env-file": "env_file",
    "--reload": "reload",
    "--reload-dir": "reload_dir",
    "--reload-include": "reload_include",
    "--reload-exclude": "reload_exclude",
}
"""The argument of `serve` that each flag sets, for every protocol."""

FIXED_LISTS = frozenset({"bind", "option", "dispatcher_option", "scaler_option", "extension_option"})
"""Those that may be repeated, the --reload-... aside."""

TABLES: Mapping[str, type[BaseModel]] = {"listener": ListenerSettings, "pool": PoolSettings}

_OF_SEVERAL = ("protocols", "protocol_options", "default", "sniff_timeout")

_NAMED_OTHERWISE = {
    "pool": ("workers", "dispatcher"),
    "listener": ("name", "bind", "protocol", "pool", "dispatcher", *_OF_SEVERAL),
}
"""Keys that have a flag of their own, or an argument, or no meaning for one listener."""

_SINGULAR = {"--extensions": "--extension"}


@dataclass(frozen=True, slots=True)
class Section:
    """The flags that set keys of one table, but those that `serve` itself has."""

    table: str
    heading: str
    model: type[BaseModel]
    flags: Sequence[Flag]


def sections_for(arguments: Sequence[str], registry: Registry) -> list[Section]:
    """Return the sections of `serve` for the protocol that is among its arguments."""
    sections = [Section(table, f"[{table}]", model, list(_settings(table))) for table, model in TABLES.items()]
    protocol = _find_protocol(arguments, registry, [flag for each in sections for flag in each.flags])
    model = None if protocol is None else options_of(load(registry, protocol))
    if model is not None:
        taken = {name for each in sections for flag in each.flags for name in names_of(flag)}
        taken |= {*FIXED, "--help"}
        options = []
        for each in flags_of(model):
            if each.key != "target" and not taken & names_of(each):  # else it is given by -o
                options.append(each)
                taken |= names_of(each)
        sections.insert(0, Section("options", f"Options of {protocol}", model, options))
    return sections


def name_of(flag: str) -> str:
    """Return the name that a key's flag has here."""
    return _SINGULAR.get(flag, flag)


def names_of(flag: Flag) -> set[str]:
    """Return every name of a flag."""
    name = name_of(flag.name)
    return {name, f"--no-{name.removeprefix('--')}"} if flag.is_switch else {name}


def load(registry: Registry, protocol: str) -> type | None:
    """Import a protocol; None: it can't be, which is reported with all other mistakes."""
    try:
        return registry.load("protocols", protocol)
    except PluginError:
        return None


def options_of(plugin: type | None) -> type[BaseModel] | None:
    """Return the model of a plugin's options, if it has any."""
    model: object = getattr(plugin, "Options", None)
    return model if is_options(model) else None


def _settings(section: str) -> Iterator[Flag]:
    return (each for each in flags_of(TABLES[section]) if each.key not in _NAMED_OTHERWISE[section])


def _find_protocol(arguments: Sequence[str], registry: Registry, flags: Iterable[Flag]) -> str | None:
    """Find the protocol among arguments: the first one that is no flag, nor the value of one that is known."""
    takes_value = {name_of(each.name) for each in flags if not each.is_switch}
    takes_value |= FIXED.keys() - {"--reload"}
    found: list[str] = []
    is_value = False
    for argument in arguments:
        if not is_value and not argument.startswith("-"):
            found.append(argument)
        is_value = not is_value and argument in takes_value
    installed = registry.names("protocols")
    # The value of a protocol's own flag may stand before the protocol: --threads 4 http.
    return next((each for each in found if each in installed), None)
