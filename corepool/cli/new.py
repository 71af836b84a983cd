"""`corepool new`: the package of a plugin, to start from."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corepool.cli.scaffold import check_name, write_package
from corepool.config.suggest import did_you_mean
from corepool.plugins.registry import KINDS, Registry

if TYPE_CHECKING:
    from corepool.plugins.registry import Kind


class PluginKind(StrEnum):
    """The kinds of plugins: the registry's, in the singular."""

    PROTOCOL = "protocol"
    DISPATCHER = "dispatcher"
    TRANSPORT = "transport"
    EXTENSION = "extension"
    SCALER = "scaler"


def _kind(text: str) -> PluginKind:
    if text not in list(PluginKind):
        near = did_you_mean(text, map(str, PluginKind))
        raise typer.BadParameter(f"no kind {text!r}{near}; kinds: {', '.join(PluginKind)}")
    return PluginKind(text)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, and that of the folder that is made.")],
    kind: Annotated[
        PluginKind,
        typer.Option("--kind", metavar="KIND", parser=_kind, help=f"What it is to be: {', '.join(PluginKind)}."),
    ] = PluginKind.PROTOCOL,
) -> None:
    """Write a plugin to start from.

    A package in its own folder, with options, tests and a README; its tests pass as written.
    """
    plural: Kind = next(each for each in KINDS if each == f"{kind}s")
    check_name(name, plural, Registry())
    write_package(Path(name), name, plural)
    typer.echo(f"wrote {name}/, {'an' if kind is PluginKind.EXTENSION else 'a'} {kind} with its tests. Next:\n")
    typer.echo(f"  cd {name} && pip install -e '.[test]'")
    typer.echo("  pytest")
    typer.echo("  corepool run corepool.toml")
