"""The scaler by itself, and in a real pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from corepool import PoolLoad
from corepool.testing.scaler import ScalerContract
from corepool.testing.waiting import wait_until
from pydantic import ValidationError

from example_plugin import ExamplePlugin

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = { min = 1, max = 2 }
scaler = "example-plugin"
scaler_options = { connections = 1 }

[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


class TestContract(ScalerContract):
    """The contract: decide whatever the load, and come to rest when it is steady."""

    def make(self) -> ExamplePlugin:
        return ExamplePlugin(ExamplePlugin.Options())


@pytest.mark.parametrize(
    ("workers", "connections", "wanted"), [(1, 0, 0), (1, 11, 2), (2, 10, 2), (2, 8, 1), (1, 95, 10)]
)
def test_there_is_a_worker_for_every_ten_connections(workers: int, connections: int, wanted: int) -> None:
    scaler = ExamplePlugin(ExamplePlugin.Options(connections=10))
    load = PoolLoad(workers, workers, 0.5, connections, min_workers=1, max_workers=16, elapsed_s=1.0)

    assert scaler.decide(load) == wanted


def test_an_option_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValidationError, match="connections"):
        ExamplePlugin.Options(connections=0)


def test_a_pool_grows_with_its_connections(pool: Pools) -> None:
    running = pool(TOML)

    with running.connect(), running.connect():
        wait_until(lambda: len(running.workers()) == 2, what="a second worker")
