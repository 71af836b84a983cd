"""The commands that plugins bring: entry points of the group `corepool.commands`, each an application of typer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import typer

from corepool.errors import PluginError
from corepool.plugins.entries import entries_of

if TYPE_CHECKING:
    from corepool.plugins.entries import Entry

_GROUP = "corepool.commands"


def names_of_plugins() -> list[str]:
    """List the names of these commands."""
    return sorted({entry.name for entry in _entries()})


def load_command(name: str) -> Any:
    """Make a command; None if there is none of this name.

    :raises PluginError: two packages claim the name, or its object can't be imported, or is no application of typer.
    """
    found = [entry for entry in _entries() if entry.name == name]
    if not found:
        return None
    if len(found) > 1:
        claimants = " and ".join(sorted(entry.dist.name if entry.dist else "?" for entry in found))
        raise PluginError(f"command {name!r} is claimed by {claimants}; uninstall one of them")
    where = f"command {name!r} ({found[0].value})"
    try:
        app = found[0].load()
    except Exception as error:  # whatever a module raises
        raise PluginError(f"{where} can't be imported: {type(error).__name__}: {error}") from error
    if not isinstance(app, typer.Typer):
        raise PluginError(f"{where} is no typer.Typer, but {app!r}")
    command = cast("Any", typer.main.get_command(app))
    command.name = name
    return command


def _entries() -> list[Entry]:
    return [entry for entry in entries_of(_GROUP) if entry.group == _GROUP]
