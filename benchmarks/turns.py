"""Running servers in turn: A B C, A B C, ... each one started anew for its turn, and alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from benchmarks.needs import HOW, is_there
from benchmarks.processes import Cores, cpu_ns
from benchmarks.results import Comparison, Figure, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from benchmarks.results import Target
    from benchmarks.servers import Running, Server

MeasuredT = TypeVar("MeasuredT")

NS_PER_US = 1000


@dataclass(frozen=True, slots=True)
class Bench:
    """What every case is given: where to run, how long, and which servers are wanted."""

    cores: Cores
    scratch: Path  # a folder for what a case makes; removed at the end
    quick: bool
    only: Collection[str]  # names of servers; empty: all
    rows: frozenset[str]  # names of comparisons; empty: all
    on_turn: Callable[[str], None]  # called before each turn, with its name
    missing: dict[str, str] = field(default_factory=dict)
    """Programs that are not installed, by name, and how to install them."""
    known: set[str] = field(default_factory=set)
    """The names of all comparisons that a case has, wanted or not."""

    def take_turns(
        self, rows: Sequence[str], servers: Sequence[Server], rounds: int, measure: Callable[[Running], MeasuredT]
    ) -> dict[str, list[MeasuredT]]:
        """Measure each server `rounds` times, in turn; those that are not installed are left out.

        :param rows: the names of the comparisons that are made of it: if none of them is wanted, there are no turns.

        In turn, since a shared or throttled machine changes its pace over minutes; started anew, since
        one start's luck with memory layout and hash seeds would otherwise stand for the server.
        """
        wanted = self.wanted(rows, servers)
        measured: dict[str, list[MeasuredT]] = {server.name: [] for server in wanted}
        for turn in range(rounds):
            for server in wanted:
                self.on_turn(f"round {turn + 1} of {rounds}: {server.name}")
                with server.running(self.cores.server) as running:
                    measured[server.name].append(measure(running))
        return measured

    def wanted(self, rows: Sequence[str], servers: Sequence[Server]) -> list[Server]:
        """Return the servers of some comparisons that were asked for and are installed."""
        self.known.update(rows)
        if self.rows and self.rows.isdisjoint(rows):
            return []
        asked_for = [server for server in servers if not self.only or server.name in self.only]
        lacking = {server.name: need for server in asked_for for need in server.needs if not is_there(need)}
        self.missing.update({name: HOW[need] for name, need in lacking.items()})
        return [server for server in asked_for if server.name not in lacking]

    def compare(
        self,
        *,
        name: str,
        title: str,
        unit: str,
        servers: Sequence[Server],
        rounds: int,
        measure: Callable[[Running], Sample],
        targets: Sequence[Target],
    ) -> Comparison:
        """Take turns, and return a comparison with one figure per server."""
        measured = self.take_turns([name], servers, rounds, measure)
        figures = (Figure(server, tuple(samples)) for server, samples in measured.items() if samples)
        return Comparison(name, title, unit, tuple(figures), tuple(targets))


class Plan(Bench):
    """Takes no turn, only reports each: the progress bar needs their number beforehand."""

    def take_turns(
        self,
        rows: Sequence[str],
        servers: Sequence[Server],
        rounds: int,
        measure: Callable[[Running], MeasuredT],  # noqa: ARG002
    ) -> dict[str, list[MeasuredT]]:
        """Count."""
        wanted = self.wanted(rows, servers)
        for _ in range(rounds * len(wanted)):
            self.on_turn("")
        return {server.name: [] for server in wanted}


def cpu_us_per_unit(running: Running, units: int, load: Callable[[], int]) -> Sample:
    """Charge the server's whole process tree for `units` of work, in microseconds of CPU time each.

    :param load: does the work, and tells how many units were lost.
    """
    before = cpu_ns(running.pid)
    lost = load()
    return Sample((cpu_ns(running.pid) - before) / units / NS_PER_US, lost)
