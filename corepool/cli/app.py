"""The command line as a whole: which commands there are."""

from __future__ import annotations

from typing import Annotated

import typer

import corepool
from corepool.cli import check, new, operate, plugins, ps, run, status, top


def make_app() -> typer.Typer:
    """Put the commands together."""
    app = typer.Typer(
        help=f"corepool: the process pool for any protocol.\n\n{_FIRST_STEPS}",
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for command in (
        run.run,
        run.serve,
        check.check,
        check.config,
        check.init,
        check.schema,
        new.new,
        plugins.plugins,
        ps.ps,
        status.status,
        top.top,
        operate.reload,
        operate.upgrade,
        operate.stop,
        operate.scale,
        operate.drain,
        operate.pause,
        operate.resume,
        operate.rebalance,
        operate.log_level,
    ):
        app.command()(command)
    return app


_FIRST_STEPS = "Start with `corepool run`, which needs no configuration; `corepool init` writes one to change."


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the value
    if wanted:
        typer.echo(f"corepool {corepool.__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
