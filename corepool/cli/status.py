"""`corepool status`: ask a running pool how it is."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corepool.cli.arguments import AsJson, Color, Config, Which, Wide
from corepool.cli.pools import pool_of
from corepool.cli.reloads import failed_reload
from corepool.cli.renew import expiring, failures
from corepool.errors import EXIT_RELOAD_FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping


def status(
    config: Config = None,
    control: Which = None,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Print one line; exit with 1 unless every worker is ready, and with 4 if the last reload has failed "
            "or a new certificate can't be used.",
        ),
    ] = False,
    wide: Wide = False,
    color: Color = "auto",
    as_json: AsJson = False,
) -> None:
    """Show a running pool: listeners, workers, totals.

    On a terminal, columns of zeros and those that it has no room for are left out.
    """
    its = pool_of(config, control)
    answer = its.status()
    if check:
        _check(answer, str(its))
    elif as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        _print(answer, wide=wide, color=color)


def _check(answer: "Mapping[str, Any]", its: str) -> None:
    wanted = answer.get("wanted", 0)
    ready = sum(worker.get("state") == "ready" for worker in answer.get("workers", []))
    failed = failed_reload(answer)
    found = [*([] if failed is None else [failed]), *(f"not renewed: {each}" for each in failures(answer))]
    more = "".join(f"; {each}" for each in (*found, *expiring(answer, time.time())))
    typer.echo(f"{its}: {answer.get('state')}: {ready} of {wanted} workers are ready{more}")
    if answer.get("state") != "ready" or ready < wanted:
        raise typer.Exit(1)
    if found:
        raise typer.Exit(EXIT_RELOAD_FAILED)


def _print(answer: "Mapping[str, Any]", *, wide: bool, color: str) -> None:
    from corepool.cli import tables, views  # noqa: PLC0415 - rich is slow to import

    console = tables.console_for(color)
    width = tables.width_for(console, wide=wide)
    typer.echo(f"{views.title(answer)}\n{views.headline(answer)}")
    if (failed := failed_reload(answer)) is not None:
        console.print(failed, style="red", soft_wrap=True)
    for each in failures(answer):
        console.print(f"not renewed: {each}", style="red", soft_wrap=True)
    for each in expiring(answer, time.time()):
        console.print(each, style="yellow", soft_wrap=True)
    typer.echo()
    several = [views.pools(answer, width)] if len(answer.get("pools", ())) > 1 else []
    made = [*several, views.listeners(answer, width)]
    if answer.get("renewal", {}).get("certificates"):
        made.append(views.certificates(answer, width, time.time()))
    made += [views.workers(answer, width), *views.totals(answer, width)]
    tables.print_tables(console, made, width)
