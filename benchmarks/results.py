"""What a run yields: facts and the arithmetic on them. Nothing here does I/O."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median


class BenchError(Exception):
    """A benchmark can't be run as asked; `str()` names the missing program or the failure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one server cost in one round, and how much of the load it lost."""

    cost: float
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Figure:
    """The samples of one server, one per round."""

    server: str
    samples: tuple[Sample, ...]

    @property
    def costs(self) -> list[float]:
        """Its cost, round by round."""
        return [sample.cost for sample in self.samples]

    @property
    def median(self) -> float:
        """Its cost: one disturbed round doesn't move it."""
        return median(self.costs)

    @property
    def lost(self) -> int:
        """What it lost, all rounds together."""
        return sum(sample.lost for sample in self.samples)

    def ratio(self, peer: Figure) -> float:
        """Return the median, over the rounds, of this cost divided by the peer's in the same round.

        A round's turns follow each other closely, so what slows the machine for a while slows both
        and cancels out; it would not in a ratio of two medians from different rounds.
        """
        return median(mine / its for mine, its in zip(self.costs, peer.costs, strict=True))


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a server's cost: as a multiple of a peer's, or absolute when there is no peer."""

    server: str
    at_most: float
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target, and the value measured for it."""

    target: Target
    measured: float

    @property
    def reached(self) -> bool:
        """Return whether the measured value keeps the bound."""
        return self.measured <= self.target.at_most


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same work done by several servers in turn, and its targets."""

    name: str
    """What it is called where there is little room; no other comparison has it."""
    title: str
    unit: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    picture: str = ""
    """SVG that shows more than the figures do; its file is called by the name."""

    @property
    def lost(self) -> int:
        """What all of them lost together; anything but 0 makes the costs worthless."""
        return sum(figure.lost for figure in self.figures)

    @property
    def peers(self) -> list[Figure]:
        """The measured servers that some target compares with, in the order of the figures."""
        named = {target.peer for target in self.targets}
        return [figure for figure in self.figures if figure.server in named]

    @property
    def outcomes(self) -> list[Outcome]:
        """The targets whose server and peer were both measured."""
        figures = {figure.server: figure for figure in self.figures}
        outcomes = []
        for target in self.targets:
            figure = figures.get(target.server)
            if figure is None:
                continue
            if target.peer is None:
                outcomes.append(Outcome(target, figure.median))
            elif target.peer in figures:
                outcomes.append(Outcome(target, figure.ratio(figures[target.peer])))
        return outcomes
