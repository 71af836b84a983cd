"""`corepool serve`: a pool for one protocol, whose options are flags, as are the keys of [listener] and [pool]."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from corepool.cli.arguments import (
    CertFile,
    Control,
    Dispatcher,
    EnvFile,
    KeyFile,
    LogConfig,
    LogLevel,
    Reload,
    ReloadDir,
    ReloadExclude,
    ReloadInclude,
    Workers,
)
from corepool.cli.foreign import answer_to
from corepool.cli.resolve import Served, draft_of_flags
from corepool.cli.start import start
from corepool.cli.tls_files import TlsFiles
from corepool.cli.unknown import explain
from corepool.cli.watch import Watched
from corepool.config.environment import value_from_text
from corepool.config.flags import Flag, flags_of
from corepool.config.load import Overrides
from corepool.config.plugin_options import Untyped
from corepool.config.settings import ListenerSettings, PoolSettings
from corepool.errors import PluginError
from corepool.plugins.registry import Registry
from corepool.spec.described import descriptions_of
from corepool.spec.options import Options

if TYPE_CHECKING:
    from pydantic import BaseModel

_NAMED_OTHERWISE = {"pool": ("workers", "dispatcher"), "listener": ("name", "bind", "protocol", "pool", "dispatcher")}
"""Keys that have a flag of their own here, or an argument, or no meaning for one listener."""

_SINGULAR = {"--extensions": "--extension"}

_TABLES: "Mapping[str, type[BaseModel]]" = {"listener": ListenerSettings, "pool": PoolSettings}


def serve(
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="The protocol plugin, by name.")],
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="What it serves, where it takes one: its option `target`."),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(
            "-b",
            "--bind",
            metavar="ADDRESS",
            help="Where to listen: 8000, :8000 (every address), HOST:8000, unix:/PATH; may be repeated. "
            "Default: the protocol's port on 127.0.0.1.",
        ),
    ] = None,
    certfile: CertFile = None,
    keyfile: KeyFile = None,
    workers: Workers = None,
    dispatcher: Dispatcher = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--option", metavar="KEY=VALUE", help="An option of the protocol; a repeated key is a list."
        ),
    ] = None,
    dispatcher_option: Annotated[
        list[str] | None,
        typer.Option("--dispatcher-option", metavar="KEY=VALUE", help="An option of the dispatcher."),
    ] = None,
    scaler_option: Annotated[
        list[str] | None, typer.Option("--scaler-option", metavar="KEY=VALUE", help="An option of the scaler.")
    ] = None,
    extension_option: Annotated[
        list[str] | None,
        typer.Option("--extension-option", metavar="NAME.KEY=VALUE", help="An option of an extension."),
    ] = None,
    control: Control = None,
    log_level: LogLevel = None,
    log_config: LogConfig = None,
    env_file: EnvFile = None,
    *,
    reload: Reload = False,
    reload_dir: ReloadDir = None,
    reload_include: ReloadInclude = None,
    reload_exclude: ReloadExclude = None,
    more: Mapping[str, object],
    registry: Registry,
) -> None:
    """Serve one protocol without a configuration.

    For example: corepool serve http myapp:app -b 8000. `corepool serve PROTOCOL --help` shows the protocol's options.
    """
    if ":" in protocol:  # as gunicorn and uvicorn have it
        right = f"corepool serve http {protocol}{f' -b {bind[0]}' if bind else ''}"
        raise typer.BadParameter(f"{protocol!r} is none; the protocol comes first: {right}", param_hint="PROTOCOL")
    plugin = _load(registry, protocol)
    options = _pairs(option or [], "-o")
    names = {f"listener[0].options.{key}": f"--option {key}" for key in options}
    for key, name, value in _given(more, "options"):
        if key in options:
            raise typer.BadParameter("given by -o as well", param_hint=name)
        options[key] = [Untyped(each) for each in value] if isinstance(value, list) else _untyped(value)
        names[f"listener[0].options.{key}"] = name
    if target is not None:
        if "target" in options:
            raise typer.BadParameter("given as TARGET as well", param_hint="-o target=")
        if plugin is not None and "target" not in getattr(_options_of(plugin), "model_fields", {}):
            raise typer.BadParameter(f"protocol {protocol!r} takes no TARGET", param_hint="TARGET")
        options["target"] = Untyped(target)
        names["listener[0].options.target"] = "TARGET"
    if "target" in getattr(_options_of(plugin), "model_fields", {}):
        names["listener[0].options"] = "TARGET"  # a mistake in all of them together is that it is missing, or too much
    tables: dict[str, dict[str, object]] = {"listener": {"options": options}, "pool": {}}
    for section, model in _TABLES.items():
        where = "listener[0]" if section == "listener" else section
        for key, name, value in _given(more, section):
            tables[section][key] = value_from_text(model, key, value) if isinstance(value, str) else value
            names[f"{where}.{key}"] = name
    for key, pairs in (("dispatcher_options", dispatcher_option), ("scaler_options", scaler_option)):
        if pairs:
            name = f"--{key[:-1].replace('_', '-')}"
            tables["pool"][key] = _pairs(pairs, name)
            names[f"pool.{key}"] = name
    if extension_option:
        of_extensions = _tables_of(extension_option)
        tables["listener"]["extension_options"] = of_extensions
        for extension, options_of_it in of_extensions.items():
            for key in options_of_it:
                names[f"listener[0].extension_options.{extension}.{key}"] = f"--extension-option {extension}.{key}"
            names[f"listener[0].extension_options.{extension}"] = f"--extension-option {extension}"
    overrides = Overrides(workers, dispatcher, control, log_level, log_config, environment=os.environ)
    tls = TlsFiles.of(certfile, keyfile)
    served = Served(protocol, bind or (), _default_port(plugin), tls, tables["listener"], tables["pool"], names)
    watched = Watched.of(reload, reload_dir, reload_include, reload_exclude)
    start(lambda: draft_of_flags(served, overrides), registry, None, env_file, watched)


class ServeCommand(TyperCommand):
    """`serve` with the flags of a protocol: they stand in sections of their own in its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse; a flag of another server's is answered with its name here."""
        known = {flag for each in self.get_params(ctx) for flag in (*each.opts, *each.secondary_opts)}
        answer = None if ctx.resilient_parsing else answer_to(args, known) or explain(args, known, Registry())
        if answer is not None:
            ctx.fail(answer)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the flags, in sections."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if each.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(each, "rich_help_panel", None) or usual, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def serve_for(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `serve` with every flag of the protocol that is among its arguments, and what each means."""
    registry = Registry()
    sections = _sections_for(arguments, registry)
    texts = {each.table: descriptions_of(each.model) for each in sections}
    return _with_flags(sections, texts, registry)


def serve_as_called(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `serve` with those flags only that are among its arguments; with every flag, if others are, too.

    The parser takes half a millisecond for each flag that it is told about, and they are 60. With a flag that is
    unknown it needs all, to find the nearest; --help is such a flag.
    """
    registry = Registry()
    sections = _sections_for(arguments, registry)
    given = {argument.partition("=")[0] for argument in arguments if argument.startswith("-")}
    named = [replace(each, flags=[flag for flag in each.flags if given & _names(flag)]) for each in sections]
    known = {name for each in named for flag in each.flags for name in _names(flag)} | _names_of_fixed()
    if not all(each in known for each in given if each.startswith("--") or each == "-h"):
        return serve_for(arguments)
    return _with_flags(named, {}, registry)


@dataclass(frozen=True, slots=True)
class _Section:
    """The flags that set keys of one table, but those that `serve` itself has."""

    table: str
    heading: str
    model: "type[BaseModel]"
    flags: Sequence[Flag]


def _sections_for(arguments: Sequence[str], registry: Registry) -> list[_Section]:
    sections = [_Section(table, f"[{table}]", model, list(_settings(table))) for table, model in _TABLES.items()]
    protocol = _find_protocol(arguments, registry)
    model = None if protocol is None else _options_of(_load(registry, protocol))
    if model is not None:
        taken = {name for each in sections for flag in each.flags for name in _names(flag)}
        taken |= _names_of_fixed() | {"--help"}
        options = []
        for each in flags_of(model):
            if each.key != "target" and not taken & _names(each):  # else it is given by -o
                options.append(each)
                taken |= _names(each)
        sections.insert(0, _Section("options", f"Options of {protocol}", model, options))
    return sections


def _names(flag: Flag) -> set[str]:
    name = _SINGULAR.get(flag.name, flag.name)
    return {name, f"--no-{name.removeprefix('--')}"} if flag.is_switch else {name}


def _names_of_fixed() -> set[str]:
    """Return the names of the flags that `serve` has for every protocol."""
    hints = get_type_hints(serve, include_extras=True).values()
    told = (each for hint in hints for each in getattr(hint, "__metadata__", ()))
    # Of names that stand in an annotation, typer takes the first for the default, until it makes the command.
    names = (name for each in told for name in (each.default, *(each.param_decls or ())))
    return {name for name in names if isinstance(name, str) and name.startswith("-")}


def _settings(section: str) -> Iterator[Flag]:
    return (each for each in flags_of(_TABLES[section]) if each.key not in _NAMED_OTHERWISE[section])


def _with_flags(
    sections: Sequence[_Section], texts: Mapping[str, Mapping[str, str]], registry: Registry
) -> Callable[..., None]:
    hints = get_type_hints(serve, include_extras=True)
    parameters_here = inspect.signature(serve).parameters
    fixed = [each for name, each in parameters_here.items() if name not in ("more", "registry")]
    parameters = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fixed
    ]
    for section, flag in ((each, flag) for each in sections for flag in each.flags):
        name = _SINGULAR.get(flag.name, flag.name)
        written = f"{name}/--no-{name.removeprefix('--')}" if flag.is_switch else name
        form: Any = bool if flag.is_switch else list[str] if flag.is_list or flag.is_table else str
        metavar = "KEY=VALUE" if flag.is_table else "VALUE"
        told = typer.Option(
            written,
            metavar=None if flag.is_switch else metavar,
            help=" ".join(texts.get(section.table, {}).get(flag.key, "").split()),
            rich_help_panel=section.heading,
        )
        parameters.append(
            inspect.Parameter(
                f"{section.table}__{flag.key}",
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[form | None, told],
            )
        )

    def command(**given: Any) -> None:
        serve(**{each.name: given.pop(each.name) for each in fixed}, more=given, registry=registry)

    command.__doc__ = serve.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _find_protocol(arguments: Sequence[str], registry: Registry) -> str | None:
    """Find the protocol among arguments: the first one that is no flag, nor the value of one that is known."""
    flags = [each for section in _TABLES for each in _settings(section)]
    takes_value = {_SINGULAR.get(each.name, each.name) for each in flags if not each.is_switch}
    takes_value |= _names_of_fixed() - {"--reload"}
    found: list[str] = []
    is_value = False
    for argument in arguments:
        if not is_value and not argument.startswith("-"):
            found.append(argument)
        is_value = not is_value and argument in takes_value
    installed = registry.names("protocols")
    # The value of a protocol's own flag may stand before the protocol: --threads 4 http.
    return next((each for each in found if each in installed), None)


def _given(more: Mapping[str, object], section: str) -> Iterator[tuple[str, str, object]]:
    """Yield key, flag and value of the given flags of a table."""
    for parameter, value in more.items():
        of, _, key = parameter.partition("__")
        if of == section and value is not None and value != []:
            name = f"--{key.replace('_', '-')}"
            name = _SINGULAR.get(name, name)
            yield key, name if value is not False else f"--no-{name.removeprefix('--')}", value


def _untyped(value: object) -> object:
    return Untyped(value) if isinstance(value, str) else Untyped(str(value).lower())


def _pairs(pairs: Sequence[str], flag: str) -> dict[str, object]:
    """Collect key=value pairs; the values stay text, which the plugin's model converts."""
    values: dict[str, list[Untyped]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is not of the form KEY=VALUE", param_hint=flag)
        values.setdefault(key, []).append(Untyped(value))
    return {key: given if len(given) > 1 else given[0] for key, given in values.items()}


def _tables_of(pairs: Sequence[str]) -> dict[str, dict[str, object]]:
    tables: dict[str, list[str]] = {}
    for pair in pairs:
        name, dot, rest = pair.partition(".")
        if not dot or "=" in name:
            raise typer.BadParameter(f"{pair!r} is not of the form NAME.KEY=VALUE", param_hint="--extension-option")
        tables.setdefault(name, []).append(rest)
    return {name: _pairs(rest, "--extension-option") for name, rest in tables.items()}


def _load(registry: Registry, protocol: str) -> type | None:
    try:
        return registry.load("protocols", protocol)
    except PluginError:
        return None  # it is reported with all other mistakes


def _options_of(plugin: type | None) -> type[Options] | None:
    model: object = getattr(plugin, "Options", None)
    return model if isinstance(model, type) and issubclass(model, Options) else None


def _default_port(plugin: type | None) -> int | None:
    default: object = getattr(plugin, "default_port", None)
    # 0 if the protocol is a mistake: nothing will listen there.
    return default if isinstance(default, int) else 0 if plugin is None else None
