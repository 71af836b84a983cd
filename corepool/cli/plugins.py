"""`corepool plugins`: the installed plugins, and the broken ones among them."""

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from corepool.cli.arguments import AsJson, Color, Wide
from corepool.config.suggest import did_you_mean, nearest
from corepool.errors import PluginError
from corepool.plugins.registry import KINDS, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACES = {
    "protocols": 'protocol {name}: [[listener]] protocol = "{name}", options in [listener.options]; or '
    "`corepool serve {name} --help`",
    "dispatchers": 'dispatcher {name}: [pool] dispatcher = "{name}", options in dispatcher_options',
    "transports": 'transport {name}: bind = ["{name}:..."], options after the ? of the URL',
    "extensions": 'extension {name}: [[listener]] extensions = ["{name}"], options in '
    "[listener.extension_options.{name}]",
    "commands": "command {name}: `corepool {name} --help`",
    "scalers": 'scaler {name}: [pool] scaler = "{name}", options in scaler_options',
}


def plugins(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show the options of the plugins of this name.")
    ] = None,
    *,
    wide: Wide = False,
    color: Color = "auto",
    as_json: AsJson = False,
) -> None:
    """List the installed plugins, or show one with its options.

    Tells which of them are broken. Kinds that are not corepool's own belong to plugins, such as the stores of kv.
    Ends with status 1 when something is broken.
    """
    registry = Registry()
    if name is not None:
        _show(registry, name, as_json=as_json)
        return
    found = [(plugin, registry.fault(plugin)) for plugin in (*registry.installed(), *registry.others())]
    if as_json:
        typer.echo(json.dumps([asdict(plugin) | {"broken": fault} for plugin, fault in found], indent=2))
    else:
        from corepool.cli.tables import Column, print_table  # noqa: PLC0415 - rich is slow to import

        headings = ("kind", "name", "distribution", "version")
        print_table(
            [*map(Column, headings), Column("state", hides_zeros=True)],
            [
                (plugin.kind, plugin.name, plugin.distribution, plugin.version, "broken" if fault else "")
                for plugin, fault in found
            ],
            wide=wide,
            color=color,
        )
        for fault in dict.fromkeys(fault for _, fault in found if fault):  # two that claim one name have the same
            typer.echo(f"broken: {fault}")
    for warning in _misspelt(registry):
        typer.echo(f"corepool: {warning}", err=True)
    if any(fault for _, fault in found):
        raise typer.Exit(1)


def _show(registry: Registry, name: str, *, as_json: bool) -> None:
    from corepool.cli.keys import keys_of  # noqa: PLC0415 - the models of plugins, which a list does not need

    named = [each for each in (*registry.installed(), *registry.others()) if each.name == name]
    if not named:
        known = [each.name for each in registry.installed()]
        raise PluginError(f"no plugin is named {name!r}{did_you_mean(name, known)}; `corepool plugins` lists all")
    shown: list[dict[str, object]] = []
    for plugin in named:
        fault = registry.fault(plugin)
        loaded = registry.load(plugin.kind, name) if fault is None and plugin.kind in KINDS else None
        model = getattr(loaded, "Options", None)
        keys = [] if model is None else list(keys_of(model))
        shown.append(
            asdict(plugin)
            | {"broken": fault, "description": _first_words(loaded)}
            | {"options": [dict(zip(("key", "value", "default", "meaning"), each, strict=True)) for each in keys]}
        )
        if not as_json:
            typer.echo(f"{_PLACES.get(plugin.kind, plugin.kind).format(name=name)}")
            typer.echo(f"of {plugin.distribution} {plugin.version}, {plugin.target}")
            typer.echo(f"broken: {fault}" if fault else f"\n{_first_words(loaded)}\n" if loaded else "")
            for key, value, default, meaning in keys:
                typer.echo(f"  {key} = {value.replace('`', '')}; {_default(default)}")
                typer.echo(textwrap.fill(meaning, 100, initial_indent=" " * 6, subsequent_indent=" " * 6))
            if loaded is not None and not keys:
                typer.echo("  It takes no options.")
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    if any(each["broken"] for each in shown):
        raise typer.Exit(1)


def _first_words(plugin: type | None) -> str:
    told = "" if plugin is None else plugin.__doc__ or ""
    return " ".join(told.partition("\n\n")[0].split())


def _default(written: str) -> str:
    plain = written.replace("`", "")
    return plain if plain in ("required", "unset") else f"default: {plain}"


def _misspelt(registry: Registry) -> "Iterator[str]":
    """Warn about groups that corepool doesn't read, and whose names are nearly those of groups it does."""
    # The plugins that come with corepool are spelt correctly.
    known = {*KINDS, *(each.kind for each in registry.others() if each.distribution == "corepool")}
    for plugin in registry.others():
        near = nearest(plugin.kind, known) if plugin.kind not in known else []
        if near:
            yield (
                f"{plugin.name!r} of distribution {plugin.distribution!r} is in the group 'corepool.{plugin.kind}', "
                f"which is not corepool's (did you mean 'corepool.{near[0]}'?)"
            )
