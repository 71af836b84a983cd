"""The command line of `corepool serve`: its options are flags, as are the keys of [listener] and [pool]."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_type_hints

import typer
from typer.core import TyperCommand

from corepool.cli import serving
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
from corepool.cli.sections import FIXED, Section, name_of, names_of, sections_for
from corepool.cli.unknown import explain
from corepool.cli.usage import UsageError
from corepool.cli.watch import Watched
from corepool.plugins.registry import Registry
from corepool.spec.described import descriptions_of


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
    given = serving.Arguments(
        protocol,
        target,
        bind,
        certfile,
        keyfile,
        workers,
        dispatcher,
        option,
        dispatcher_option,
        scaler_option,
        extension_option,
        control,
        log_level,
        log_config,
        env_file,
    )
    watched = Watched.of(reload, reload_dir, reload_include, reload_exclude)
    try:
        status = serving.serve(given, more, registry, watched)
    except UsageError as error:
        raise typer.BadParameter(str(error), param_hint=error.argument) from None
    raise typer.Exit(status)


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
    sections = sections_for(arguments, registry)
    texts = {each.table: descriptions_of(each.model) for each in sections}
    return _with_flags(sections, texts, registry)


def serve_as_called(arguments: Sequence[str]) -> Callable[..., None]:
    """Return `serve` with those flags only that are among its arguments; with every flag, if others are, too.

    The parser takes half a millisecond for each flag that it is told about, and they are 60. With a flag that is
    unknown it needs all, to find the nearest; --help is such a flag.
    """
    registry = Registry()
    sections = sections_for(arguments, registry)
    given = {argument.partition("=")[0] for argument in arguments if argument.startswith("-")}
    named = [replace(each, flags=[flag for flag in each.flags if given & names_of(flag)]) for each in sections]
    known = {name for each in named for flag in each.flags for name in names_of(flag)} | FIXED.keys()
    if not all(each in known for each in given if each.startswith("--") or each == "-h"):
        return serve_for(arguments)
    return _with_flags(named, {}, registry)


def _with_flags(
    sections: Sequence[Section], texts: Mapping[str, Mapping[str, str]], registry: Registry
) -> Callable[..., None]:
    hints = get_type_hints(serve, include_extras=True)
    parameters_here = inspect.signature(serve).parameters
    fixed = [each for name, each in parameters_here.items() if name not in ("more", "registry")]
    parameters = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fixed
    ]
    for section, flag in ((each, flag) for each in sections for flag in each.flags):
        name = name_of(flag.name)
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
