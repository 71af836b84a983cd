"""What `corepool serve` does with its arguments, once they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.cli.resolve import Served, draft_of_flags
from corepool.cli.sections import TABLES, load, name_of, options_of
from corepool.cli.start import start
from corepool.cli.tls_files import TlsFiles
from corepool.cli.usage import UsageError
from corepool.config.environment import value_from_text
from corepool.config.load import Overrides
from corepool.config.plugin_options import Untyped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from corepool.cli.watch import Watched
    from corepool.plugins.registry import Registry


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of `serve` that it has for every protocol."""

    protocol: str
    target: str | None = None
    bind: Sequence[str] | None = None
    certfile: Path | None = None
    keyfile: Path | None = None
    workers: str | None = None
    dispatcher: str | None = None
    option: Sequence[str] | None = None
    dispatcher_option: Sequence[str] | None = None
    scaler_option: Sequence[str] | None = None
    extension_option: Sequence[str] | None = None
    control: str | None = None
    log_level: str | None = None
    log_config: str | None = None
    env_file: Path | None = None


def serve(given: Arguments, more: Mapping[str, object], registry: Registry, watched: Watched | None) -> int:
    """Serve one protocol without a configuration; return the exit status.

    :param more: the flags of keys, by table and key: `listener__backlog`.
    :raises UsageError: before anything has begun.
    """
    protocol, bind = given.protocol, given.bind or ()
    if ":" in protocol:  # as gunicorn and uvicorn have it
        right = f"corepool serve http {protocol}{f' -b {bind[0]}' if bind else ''}"
        raise UsageError(f"{protocol!r} is none; the protocol comes first: {right}", "PROTOCOL")
    if "," in protocol:
        raise UsageError("expected one; a file may have several: `protocols` of a listener", "PROTOCOL")
    plugin = load(registry, protocol)
    options = _pairs(given.option or [], "-o")
    names = {f"listener[0].options.{key}": f"--option {key}" for key in options}
    for key, name, value in _flags_of(more, "options"):
        if key in options:
            raise UsageError("given by -o as well", name)
        options[key] = [Untyped(each) for each in value] if isinstance(value, list) else _untyped(value)
        names[f"listener[0].options.{key}"] = name
    if given.target is not None:
        if "target" in options:
            raise UsageError("given as TARGET as well", "-o target=")
        if plugin is not None and "target" not in getattr(options_of(plugin), "model_fields", {}):
            raise UsageError(f"protocol {protocol!r} takes no TARGET", "TARGET")
        options["target"] = Untyped(given.target)
        names["listener[0].options.target"] = "TARGET"
    if "target" in getattr(options_of(plugin), "model_fields", {}):
        names["listener[0].options"] = "TARGET"  # a mistake in all of them together is that it is missing, or too much
    tables: dict[str, dict[str, object]] = {"listener": {"options": options}, "pool": {}}
    for section, model in TABLES.items():
        where = "listener[0]" if section == "listener" else section
        for key, name, value in _flags_of(more, section):
            tables[section][key] = value_from_text(model, key, value) if isinstance(value, str) else value
            names[f"{where}.{key}"] = name
    for key, pairs in (("dispatcher_options", given.dispatcher_option), ("scaler_options", given.scaler_option)):
        if pairs:
            name = f"--{key[:-1].replace('_', '-')}"
            tables["pool"][key] = _pairs(pairs, name)
            names[f"pool.{key}"] = name
    if given.extension_option:
        of_extensions = _tables_of(given.extension_option)
        tables["listener"]["extension_options"] = of_extensions
        for extension, options_of_it in of_extensions.items():
            for key in options_of_it:
                names[f"listener[0].extension_options.{extension}.{key}"] = f"--extension-option {extension}.{key}"
            names[f"listener[0].extension_options.{extension}"] = f"--extension-option {extension}"
    overrides = Overrides(
        given.workers, given.dispatcher, given.control, given.log_level, given.log_config, environment=os.environ
    )
    tls = TlsFiles.of(given.certfile, given.keyfile)
    served = Served(protocol, bind, _default_port(plugin), tls, tables["listener"], tables["pool"], names)
    return start(lambda: draft_of_flags(served, overrides), registry, None, given.env_file, watched)


def _flags_of(more: Mapping[str, object], section: str) -> Iterator[tuple[str, str, object]]:
    """Yield key, flag and value of the given flags of a table."""
    for parameter, value in more.items():
        of, _, key = parameter.partition("__")
        if of == section and value is not None and value != []:
            name = name_of(f"--{key.replace('_', '-')}")
            yield key, name if value is not False else f"--no-{name.removeprefix('--')}", value


def _untyped(value: object) -> object:
    return Untyped(value) if isinstance(value, str) else Untyped(str(value).lower())


def _pairs(pairs: Sequence[str], flag: str) -> dict[str, object]:
    """Collect key=value pairs; the values stay text, which the plugin's model converts."""
    values: dict[str, list[Untyped]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise UsageError(f"{pair!r} is not of the form KEY=VALUE", flag)
        values.setdefault(key, []).append(Untyped(value))
    return {key: given if len(given) > 1 else given[0] for key, given in values.items()}


def _tables_of(pairs: Sequence[str]) -> dict[str, dict[str, object]]:
    tables: dict[str, list[str]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        if not dot or "=" in name:
            raise UsageError(f"{pair!r} is not of the form NAME.KEY=VALUE", "--extension-option")
        tables.setdefault(name, []).append(rest)
    return {name: _pairs(rest, "--extension-option") for name, rest in tables.items()}


def _default_port(plugin: type | None) -> int | None:
    default: object = getattr(plugin, "default_port", None)
    # 0 if the protocol is a mistake: nothing will listen there.
    return default if isinstance(default, int) else 0 if plugin is None else None
