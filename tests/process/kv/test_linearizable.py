"""All workers together behave like one register a key: whatever a client was told is true for all of them."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml
from linearizable import Operation, is_linearizable

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS, OPERATIONS, KEYS = 12, 200, 4


def operate(client: Client, name: str, begin: threading.Barrier) -> list[tuple[str, Operation]]:
    """Read and write some registers at random, each value once."""
    history = []
    begin.wait()
    for number in range(OPERATIONS):
        key = f"register-{random.randrange(KEYS)}"  # noqa: S311
        value = f"{name}:{number}" if random.random() < 0.5 else None  # noqa: S311
        began_s = time.monotonic()
        seen = client("GET", key) if value is None else client("GETSET", key, value)
        ended_s = time.monotonic()
        history.append((key, Operation(began_s, ended_s, value, None if seen is None else seen.decode())))
    return history


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_four_workers_are_linearizable(pool: Pools, clients: Callable[[PoolProcess], Client], durability: str) -> None:
    running = pool(kv_toml(workers=4, durability=durability))
    group = [clients(running) for _ in range(CLIENTS)]
    begin = threading.Barrier(CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as executor:
        histories = list(executor.map(operate, group, map(str, range(CLIENTS)), [begin] * CLIENTS))

    history = [entry for each in histories for entry in each]
    assert len(history) == CLIENTS * OPERATIONS
    for key in {key for key, _ in history}:
        assert is_linearizable([operation for name, operation in history if name == key])


def test_the_checker_finds_histories_that_are_not() -> None:
    write, read = Operation(0, 1, "a", None), Operation(2, 3, None, "a")
    assert is_linearizable([write, read])
    assert is_linearizable([write, Operation(0.5, 3, None, None)])  # at the same time: either order
    assert not is_linearizable([write, Operation(2, 3, None, None)])  # stale
    assert not is_linearizable([write, read, Operation(2, 3, None, "b")])  # never written
    assert not is_linearizable([write, Operation(2, 3, "b", None)])  # replaced nothing: a lost update
    second = Operation(2, 5, "b", "a")
    assert not is_linearizable(
        [write, second, Operation(2.5, 3, None, "b"), Operation(4, 5, None, "a")]
    )  # back in time
