"""Fixtures that start real pools, and insist that each of them ends as it should."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from corepool.testing.pool import Surroundings

LEAVE_WITHIN_S = 5.0  # workers of a master that was killed; the others are gone before it


class Pools:
    """Starts the pools of one test: `pool(toml)` as `corepool run`, `pool.serve(...)` as `corepool serve`.

    Keywords are those of PoolProcess, and what the test expects of the end: `exit_status`, and
    `traceback=True` where the log may hold one.
    """

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def __call__(
        self,
        toml: str,
        *,
        exit_status: int = 0,
        traceback: bool = False,
        **surroundings: Unpack[Surroundings],
    ) -> PoolProcess:
        return self._start(PoolProcess.run(toml, **surroundings), exit_status, traceback)

    def serve(
        self,
        *arguments: str,
        exit_status: int = 0,
        traceback: bool = False,
        **surroundings: Unpack[Surroundings],
    ) -> PoolProcess:
        return self._start(PoolProcess.serve(*arguments, **surroundings), exit_status, traceback)

    def _start(self, pool: PoolProcess, exit_status: int, traceback: bool) -> PoolProcess:  # noqa: FBT001
        self._stack.enter_context(pool)
        self._stack.callback(_assert_clean_end, pool, exit_status, traceback)
        return pool


@pytest.fixture
def pool() -> Iterator[Pools]:
    """Start pools; at the end of the test stop them and check exit status, stray processes and the log."""
    with contextlib.ExitStack() as stack:
        yield Pools(stack)


def _assert_clean_end(pool: PoolProcess, exit_status: int, traceback: bool) -> None:  # noqa: FBT001
    try:
        if pool.running:
            pool.stop()
        else:
            assert pool.wait() == exit_status
        wait_until(lambda: not pool.left_over(), LEAVE_WITHIN_S, "every process of the pool gone")
        assert traceback or "Traceback" not in pool.stderr
    finally:
        print(pool.stderr)  # noqa: T201 - pytest shows it beside a failure, and only then
