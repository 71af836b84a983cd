"""`corepool run` and `corepool serve`: start a pool."""

import logging
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from corepool.cli.announce import announce
from corepool.cli.arguments import DEFAULT_CONFIG, Config, Control, Dispatcher, LogLevel, Reload, Workers
from corepool.cli.output import write
from corepool.cli.resolve import draft_of_demo, draft_of_file, draft_of_flags, settle
from corepool.cli.stop_signals import StopSignals
from corepool.cli.watch import Watcher, folders_of
from corepool.config.load import Overrides
from corepool.config.plugin_options import Untyped
from corepool.errors import BootError, ConfigError, PluginError
from corepool.logs.log import start_log
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from corepool.config.draft import Draft
    from corepool.config.settings import Settings


def run(
    config: Config = None,
    control: Control = None,
    workers: Workers = None,
    dispatcher: Dispatcher = None,
    log_level: LogLevel = None,
    *,
    reload: Reload = False,
) -> None:
    """Run the pool of a configuration, or a demo pool."""
    overrides = Overrides(workers, dispatcher, control, log_level, environment=os.environ)
    if config is None and not DEFAULT_CONFIG.exists():
        write(
            sys.stdout,
            f"no {DEFAULT_CONFIG} here: this is the demo pool (`corepool init` writes its configuration)",
        )
        _run(lambda: draft_of_demo(overrides), None, reload=reload)
    else:
        _run(lambda: draft_of_file(config, overrides), config or DEFAULT_CONFIG, reload=reload)


def serve(
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="The protocol plugin, by name.")],
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="What it serves, where it takes one: its option `target`."),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option("-b", "--bind", metavar="URL", help="Where to listen; may be repeated. Required."),
    ] = None,
    workers: Workers = None,
    dispatcher: Dispatcher = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--option", metavar="KEY=VALUE", help="An option of the protocol; a repeated key is a list."
        ),
    ] = None,
    control: Control = None,
    log_level: LogLevel = None,
    *,
    reload: Reload = False,
) -> None:
    """Serve one protocol without a configuration.

    For example: corepool serve echo -b tcp://127.0.0.1:7007
    """
    if ":" in protocol:  # as gunicorn and uvicorn have it
        right = f"corepool serve http {protocol} -b {bind[0] if bind else 'tcp://127.0.0.1:8000'}"
        raise typer.BadParameter(f"{protocol!r} is none; the protocol comes first: {right}", param_hint="PROTOCOL")
    port = os.environ.get("PORT")
    if not bind and port:
        bind = [f"tcp://0.0.0.0:{port}"]  # platforms say so where they route to
    if not bind:
        example = f"corepool serve {protocol} -b tcp://127.0.0.1:7007"
        raise typer.BadParameter(f"where to listen is missing; for example: {example}", param_hint="-b")
    options = _options(option or [])
    registry = Registry()
    if target is not None:
        if "target" in options:
            raise typer.BadParameter("given as TARGET as well", param_hint="-o target=")
        if not _takes_target(registry, protocol):
            raise typer.BadParameter(f"protocol {protocol!r} takes no TARGET", param_hint="TARGET")
        options["target"] = Untyped(target)
    overrides = Overrides(workers, dispatcher, control, log_level, environment=os.environ)
    _run(lambda: draft_of_flags(protocol, bind, options, overrides), None, reload=reload)


def _run(read: "Callable[[], Draft]", config: "Path | None", *, reload: bool) -> None:
    from corepool.launch.pool import Pool  # noqa: PLC0415
    from corepool.master.inheritance import Inheritance  # noqa: PLC0415 - see settle()

    def read_again() -> "tuple[Settings, Registry]":
        registry = Registry()  # plugins may have been installed meanwhile
        return settle(read(), registry), registry

    inheritance = Inheritance(os.environ)  # before the settings are read: its variable is not a setting
    draft, registry = read(), Registry()
    settings = settle(draft, registry)
    watcher = Watcher(folders_of(settings), config) if reload else None
    stopping = StopSignals()
    try:
        log = start_log(settings.log.level, settings.log.format, settings.log.file)
        if watcher is not None:
            watcher.start()
        origin = draft.started_from
        status = Pool(settings, registry, stopping.after(announce), [log.fd], read_again, inheritance, origin).run()
        stopping.ignore()
    except ConfigError as error:  # mistakes found by opening and binding: reported as `check` reports the rest
        draft.add_error(error)
        draft.finish()
        raise
    except BootError as error:
        if settings.log.file is not None:  # the log says why it ended; standard error has it anyway
            logging.getLogger(__name__).error("%s", error)  # noqa: TRY400  # the reason is in it
        raise
    finally:
        if watcher is not None:
            watcher.stop()
    raise typer.Exit(status)


def _options(pairs: "Sequence[str]") -> dict[str, object]:
    """Collect key=value pairs; the values stay text, which the plugin's model converts."""
    values: dict[str, list[Untyped]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is not of the form KEY=VALUE", param_hint="-o")
        values.setdefault(key, []).append(Untyped(value))
    return {key: given if len(given) > 1 else given[0] for key, given in values.items()}


def _takes_target(registry: Registry, protocol: str) -> bool:
    try:
        plugin = registry.load("protocols", protocol)
    except PluginError:
        return True  # it is reported with all other mistakes
    fields: object = getattr(getattr(plugin, "Options", None), "model_fields", {})
    return isinstance(fields, dict) and "target" in fields
