"""Comparisons as tables in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.results import Comparison, Outcome


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print one comparison: a row per server, a column of ratios per peer, and the targets below."""
    unit = comparison.unit
    console.print(f"{comparison.name}: {comparison.title}", style="bold", markup=False, highlight=False)
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


def _sentence(outcome: Outcome, unit: str) -> str:
    target = outcome.target
    what = f"{target.server} / {target.peer}" if target.peer else target.server
    bound = f"{target.at_most:.2f}" if target.peer else f"{target.at_most:.2f} {unit}"
    verdict = "[green]reached[/]" if outcome.reached else "[red]missed[/]"
    return f"{what}: {outcome.measured:.2f}, at most {bound} wanted: {verdict}"
