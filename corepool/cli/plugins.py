"""`corepool plugins`: what is installed, and what of it is broken."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from corepool.cli.arguments import AsJson
from corepool.errors import PluginError
from corepool.registry import Registry

if TYPE_CHECKING:
    from corepool.registry import Plugin


def plugins(*, as_json: AsJson = False) -> None:
    """List what is installed, and what of it is broken."""
    registry = Registry()
    found = [(plugin, _fault(registry, plugin)) for plugin in registry.installed()]
    if as_json:
        typer.echo(json.dumps([asdict(plugin) | {"broken": fault} for plugin, fault in found], indent=2))
        return
    from corepool.cli.tables import print_table  # noqa: PLC0415 - rich is slow to import

    print_table(
        ("kind", "name", "distribution", "version", ""),
        [
            (
                plugin.kind,
                plugin.name,
                plugin.distribution,
                plugin.version,
                f"broken: {fault}" if fault else "",
            )
            for plugin, fault in found
        ],
    )


def _fault(registry: Registry, plugin: "Plugin") -> str | None:
    try:
        registry.load(plugin.kind, plugin.name)
    except PluginError as error:
        return str(error)
    return None
