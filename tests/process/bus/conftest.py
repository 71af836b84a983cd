from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from bus_clients import BusPools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pools import Pools


@pytest.fixture
def bus(pool: Pools) -> Iterator[Callable[..., BusPools]]:
    """Start a master with a pool for each number of workers, all of which can use the bus."""
    with ExitStack() as stack:

        def start(*workers: int) -> BusPools:
            made = BusPools(pool, workers)
            stack.callback(made.close)
            return made

        yield start
