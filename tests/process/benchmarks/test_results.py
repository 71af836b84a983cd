"""The arithmetic behind the published figures, on numbers that can be checked by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.results import Comparison, Figure, Outcome, Sample, Target
from benchmarks.servers import Running
from benchmarks.turns import cpu_us_per_unit

if TYPE_CHECKING:
    from pathlib import Path


def figure(server: str, *costs: float, lost: tuple[int, ...] = ()) -> Figure:
    losses = lost or (0,) * len(costs)
    return Figure(server, tuple(Sample(cost, each) for cost, each in zip(costs, losses, strict=True)))


def comparison(*figures: Figure, targets: tuple[Target, ...] = ()) -> Comparison:
    return Comparison("ping", "One line", "µs", figures, targets)


def test_a_cost_is_the_median_of_the_rounds() -> None:
    assert figure("ours", 9, 100, 8).median == 9


def test_a_ratio_is_ours_over_the_peers_round_by_round() -> None:
    """And not that of the medians, which would be 30 / 20: the third round was slow for both."""
    ours, peer = figure("ours", 10, 30, 80), figure("peer", 20, 10, 40)

    assert ours.ratio(peer) == 2
    assert peer.ratio(ours) == 0.5


def test_a_ratio_of_different_numbers_of_rounds_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        figure("ours", 10, 20).ratio(figure("peer", 10))


def test_losses_are_summed_over_rounds_and_servers() -> None:
    ours, peer = figure("ours", 1, 1, 1, lost=(0, 2, 3)), figure("peer", 1, 1, 1, lost=(4, 0, 0))

    assert (ours.lost, peer.lost) == (5, 4)
    assert comparison(ours, peer).lost == 9


def test_targets_are_held_against_the_peers_ratio_or_the_median() -> None:
    to_peer, absolute = Target("ours", 1.5, peer="peer"), Target("ours", 10.0)
    not_measured = Target("ours", 1.0, peer="absent"), Target("absent", 1.0)
    ours, peer, other = figure("ours", 10, 20, 30), figure("peer", 5, 10, 15), figure("other", 1, 1, 1)

    compared = comparison(ours, other, peer, targets=(to_peer, absolute, *not_measured))

    assert compared.outcomes == [Outcome(to_peer, 2.0), Outcome(absolute, 20.0)]
    assert compared.peers == [peer]


@pytest.mark.parametrize(("measured", "reached"), [(1.4, True), (1.5, True), (1.6, False)])
def test_a_target_is_reached_up_to_its_bound(measured: float, reached: bool) -> None:  # noqa: FBT001
    assert Outcome(Target("ours", 1.5), measured).reached is reached


# Burns 0.3 s of CPU time by itself and as much in a child, then says what the kernel has charged it with.
BURNER = """
import os, sys, time

def burn():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

for _ in sys.stdin:
    before = sum(os.times()[:4])
    if (pid := os.fork()) == 0:
        burn()
        os._exit(0)
    burn()
    os.waitpid(pid, 0)
    print(sum(os.times()[:4]) - before, flush=True)
"""


def test_a_server_is_charged_the_cpu_time_of_its_whole_tree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BURNER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        said = []

        def load() -> int:
            assert server.stdin is not None
            assert server.stdout is not None
            print("go", file=server.stdin, flush=True)
            said.append(float(server.stdout.readline()))
            return 7

        load()  # so that the interpreter's start is over
        sample = cpu_us_per_unit(Running(server.pid, 0, tmp_path), 1000, load)

    assert sample.lost == 7
    assert said[-1] > 0.5
    # Times of ended children come in ticks of 10 ms.
    assert sample.cost * 1000 / 1e6 == pytest.approx(said[-1], abs=0.1)
