"""Orders at odd moments, on top of each other: whatever an operator does in a hurry, no client notices.

TEST_SEED and TEST_ORDERS choose which, and how many.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from steady import APPLICATION, TOML, Steady

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

ORDERS = int(os.environ.get("TEST_ORDERS", "25"))
SEEDS = [int(seed) for seed in os.environ.get("TEST_SEED", "1,2").split(",")]
CLIENTS = 40
MAX_WORKERS = 4
MAX_PAUSE_S = 0.3


def configuration(workers: int) -> str:
    return TOML.format(workers=workers, pool='drain_timeout = "5s"', listener="", http="")


class Operator:
    """Sends orders without waiting for any to be carried out."""

    def __init__(self, running: PoolProcess, seed: int) -> None:
        self._running = running
        self._chance = random.Random(seed)  # noqa: S311 - always the same
        self.given: list[str] = []
        self._orders: dict[str, Callable[[], object]] = {
            "reload": lambda: self._signal(signal.SIGHUP),
            "upgrade": lambda: self._signal(signal.SIGUSR2),
            "one more": self._one_more,
            "one fewer": lambda: self._signal(signal.SIGTTOU),
            "new logs": lambda: self._signal(signal.SIGUSR1),
            "a worker's end": lambda: self._signal_worker(signal.SIGTERM),
            "a drain": lambda: self._ask("drain", slot=self._chance.randrange(2)),
            "a mistake": lambda: self._write("[pool]\nworkers = 0\n"),
            "another file": lambda: self._write(configuration(self._chance.randint(1, MAX_WORKERS))),
            "even out": lambda: self._ask("rebalance"),
            "a pause": lambda: self._ask("pause", listener="http"),
            "no pause": lambda: self._ask("resume", listener="http"),
        }

    def give(self) -> None:
        """Send any of the orders, and wait for any time but for nothing else."""
        order = self._chance.choice(list(self._orders))
        self.given.append(order)
        # The master may be between two: there is no answer for a moment, or the number is that of the one before.
        with contextlib.suppress(OSError, ValueError):
            self._orders[order]()
        time.sleep(self._chance.uniform(0, MAX_PAUSE_S))

    def _signal(self, signum: int) -> None:
        os.kill(self._running.status()["pid"], signum)

    def _signal_worker(self, signum: int) -> None:
        if pids := self._running.workers():
            os.kill(self._chance.choice(pids), signum)

    def _one_more(self) -> None:
        if self._running.status()["pools"][0]["wanted"] < MAX_WORKERS:
            self._signal(signal.SIGTTIN)

    def _ask(self, command: str, **arguments: object) -> None:
        self._running.request(command, **arguments)

    def _write(self, toml: str) -> None:
        (self._running.directory / "corepool.toml").write_text(toml)
        self._signal(signal.SIGHUP)


def is_at_rest(running: PoolProcess) -> bool:
    """Whether all that was ordered is done: as many workers as there should be, and no other process."""
    try:
        status = running.status()
    except (OSError, ValueError):
        return False
    states = [worker["state"] for worker in status["workers"]]
    return (
        status["reload"]["state"] != "running"
        and status["upgrade"]["state"] != "running"
        and states == ["ready"] * status["pools"][0]["wanted"]
        and len(running.left_over()) == 1 + len(states)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_no_order_at_any_moment_costs_a_connection(pool: Pools, seed: int) -> None:
    running = pool(
        configuration(2), files={"application.py": APPLICATION}, environment={"PYTHONDONTWRITEBYTECODE": "1"}
    )
    operator = Operator(running, seed)
    try:
        with Steady(*running.urls(), clients=CLIENTS, pause_s=0.1) as load:
            for _ in range(ORDERS):
                operator.give()
            wait_until(lambda: is_at_rest(running), what="all orders are carried out")
            load.wait_for_replies()
        assert load.failures == []
        assert running.status()["totals"]["restarts"] == 0
    except BaseException as error:
        error.add_note(f"seed {seed}: {', '.join(operator.given)}")
        raise
    os.kill(running.status()["pid"], signal.SIGTERM)
    wait_until(lambda: not running.left_over())
