"""Running servers in turn: A B C, A B C, ... each one started anew for its turn, and alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from benchmarks.processes import Cores, cpu_ns
from benchmarks.results import Figure, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

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
    say: Callable[[str], None]  # tells somebody who waits what is going on

    def take_turns(
        self, servers: Sequence[Server], rounds: int, measure: Callable[[Running], MeasuredT]
    ) -> dict[str, list[MeasuredT]]:
        """Measure each server `rounds` times, in turn.

        In turn, since a shared or throttled machine changes its pace over minutes; started anew, since
        one start's luck with memory layout and hash seeds would otherwise stand for the server.
        """
        wanted = [server for server in servers if not self.only or server.name in self.only]
        measured: dict[str, list[MeasuredT]] = {server.name: [] for server in wanted}
        for turn in range(rounds):
            for server in wanted:
                self.say(f"round {turn + 1} of {rounds}: {server.name}")
                with server.running(self.cores.server) as running:
                    measured[server.name].append(measure(running))
        return measured

    def compare(
        self, servers: Sequence[Server], rounds: int, measure: Callable[[Running], Sample]
    ) -> tuple[Figure, ...]:
        """Take turns, and give one figure a server."""
        measured = self.take_turns(servers, rounds, measure)
        return tuple(Figure(name, tuple(samples)) for name, samples in measured.items())


def cpu_us_per_unit(running: Running, units: int, load: Callable[[], int]) -> Sample:
    """Charge the server's whole process tree for `units` of work, in microseconds of CPU time each.

    :param load: does the work, and tells how many units were lost.
    """
    before = cpu_ns(running.pid)
    lost = load()
    return Sample((cpu_ns(running.pid) - before) / units / NS_PER_US, lost)
