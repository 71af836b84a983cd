"""The command line as a whole."""

from __future__ import annotations

from typing import Annotated

import typer

from corepool.cli.commands import SETTINGS, Commands


def make_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        cls=Commands,
        help=f"corepool: the process pool for any protocol.\n\n{_FIRST_STEPS}",
        context_settings=SETTINGS,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    return app


_FIRST_STEPS = "Start with `corepool run`, which needs no configuration; `corepool init` writes one to change."


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the value
    if wanted:
        from corepool import __version__  # noqa: PLC0415
        from corepool.build import version_line  # noqa: PLC0415

        typer.echo(version_line(__version__))
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
