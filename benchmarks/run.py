"""A run as it lies in its JSON file: what the page and the plots are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.results import Comparison


class FigureOfRun(TypedDict):
    """One server in one comparison; `rounds` are its costs, `ratios` those to each peer."""

    server: str
    median: float
    rounds: list[float]
    lost: int
    ratios: dict[str, float]


class TargetOfRun(TypedDict):
    """The wanted and the measured value: a ratio, or without a peer the cost itself."""

    server: str
    peer: str | None
    at_most: float
    measured: float
    reached: bool


class ComparisonOfRun(TypedDict):
    """The same work done by several servers. `picture` is SVG, or empty."""

    name: str
    title: str
    unit: str
    figures: list[FigureOfRun]
    targets: list[TargetOfRun]
    picture: str


class Run(TypedDict):
    """A whole run; `missing` names the programs left out, with the command that installs each."""

    date: str
    machine: dict[str, str | int]
    quick: bool
    missing: dict[str, str]
    comparisons: list[ComparisonOfRun]


def run_of(
    machine: Mapping[str, str | int],
    date: str,
    comparisons: Sequence[Comparison],
    missing: Mapping[str, str],
    *,
    quick: bool,
) -> Run:
    """Return the run in types that JSON can hold; costs round by round, so that other statistics can be made."""
    return {
        "date": date,
        "machine": dict(machine),
        "quick": quick,
        "missing": dict(missing),
        "comparisons": [
            {
                "name": comparison.name,
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
                "picture": comparison.picture,
            }
            for comparison in comparisons
        ],
    }
