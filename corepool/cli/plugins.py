"""`corepool plugins`: the installed plugins, and the broken ones among them."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from corepool.cli.arguments import AsJson, Color, Wide
from corepool.config.suggest import nearest
from corepool.plugins.registry import KINDS, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator


def plugins(*, wide: Wide = False, color: Color = "auto", as_json: AsJson = False) -> None:
    """List the installed plugins, and say which of them are broken.

    Kinds that are not corepool's own belong to plugins, such as the stores of kv. Ends with status 1 when
    something is broken.
    """
    registry = Registry()
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
