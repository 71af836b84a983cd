"""A run's comparisons, as tables for people and as JSON for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from benchmarks.results import Comparison, Outcome


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print one comparison: a row a server, a column of ratios a peer, and the targets below."""
    unit = comparison.unit
    console.print(comparison.title, style="bold")
    table = Table()
    table.add_column("server")
    table.add_column(f"median {unit}", justify="right")
    table.add_column(f"min … max {unit}", justify="right")
    for peer in comparison.peers:
        table.add_column(f"x {peer.server}", justify="right")
    table.add_column("lost", justify="right")
    for figure in comparison.figures:
        ratios = [f"{figure.ratio(peer):.2f}" for peer in comparison.peers]
        spread = f"{min(figure.costs):.2f} … {max(figure.costs):.2f}"
        table.add_row(figure.server, f"{figure.median:.2f}", spread, *ratios, str(figure.lost))
    console.print(table)
    for outcome in comparison.outcomes:
        console.print(f"  {_sentence(outcome, unit)}", highlight=False)
    console.print()


def as_json(machine: Mapping[str, str | int], comparisons: Sequence[Comparison], *, quick: bool) -> str:
    """Write the run as one JSON object; costs round by round, so that other statistics can be made."""
    run = {
        "machine": machine,
        "quick": quick,
        "comparisons": [
            {
                "case": comparison.case,
                "title": comparison.title,
                "unit": comparison.unit,
                "figures": [
                    {
                        "server": figure.server,
                        "median": figure.median,
                        "rounds": figure.costs,
                        "lost": figure.lost,
                        "ratios": {peer.server: figure.ratio(peer) for peer in comparison.peers},
                    }
                    for figure in comparison.figures
                ],
                "targets": [
                    {
                        "server": outcome.target.server,
                        "peer": outcome.target.peer,
                        "at_most": outcome.target.at_most,
                        "measured": outcome.measured,
                        "reached": outcome.reached,
                    }
                    for outcome in comparison.outcomes
                ],
            }
            for comparison in comparisons
        ],
    }
    return json.dumps(run, indent=2, ensure_ascii=False) + "\n"


def _sentence(outcome: Outcome, unit: str) -> str:
    target = outcome.target
    what = f"{target.server} / {target.peer}" if target.peer else target.server
    bound = f"{target.at_most:.2f}" if target.peer else f"{target.at_most:.2f} {unit}"
    verdict = "[green]reached[/]" if outcome.reached else "[red]missed[/]"
    return f"{what}: {outcome.measured:.2f}, at most {bound} wanted: {verdict}"
