"""The pools of one test: each is stopped at the test's end, and has to end as it should."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Self

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Unpack

    from corepool.testing.pool import Surroundings

_LEAVE_WITHIN_S = 5.0  # workers of a master that was killed; the others are gone before it


class Pools:
    """Starts the pools of one test: `pool(toml)` as `corepool run`, `pool.serve(...)` as `corepool serve`.

    Keywords are those of PoolProcess, and what the test expects of the end: `exit_status`, and
    `traceback=True` where the log may hold one. At the end of the test each pool is stopped; then its exit status
    must be the expected one, no process of it may be left, and no traceback may be in its log.
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __call__(
        self,
        toml: str,
        *,
        exit_status: int = 0,
        traceback: bool = False,
        **surroundings: Unpack[Surroundings],
    ) -> PoolProcess:
        """Start `corepool run` with this configuration."""
        return self._start(PoolProcess.run(toml, **surroundings), exit_status, traceback)

    def serve(
        self,
        *arguments: str,
        exit_status: int = 0,
        traceback: bool = False,
        **surroundings: Unpack[Surroundings],
    ) -> PoolProcess:
        """Start `corepool serve` with these arguments."""
        return self._start(PoolProcess.serve(*arguments, **surroundings), exit_status, traceback)

    def _start(self, pool: PoolProcess, exit_status: int, traceback: bool) -> PoolProcess:  # noqa: FBT001
        self._stack.enter_context(pool)
        self._stack.callback(_assert_clean_end, pool, exit_status, traceback)
        return pool


def _assert_clean_end(pool: PoolProcess, exit_status: int, traceback: bool) -> None:  # noqa: FBT001
    try:
        pool.send_signal(signal.SIGTERM)  # one that has ended never sees it
        status = pool.wait()
        assert status == exit_status, f"exit status {status}, expected {exit_status}"
        wait_until(lambda: not pool.left_over(), _LEAVE_WITHIN_S, "every process of the pool gone")
        assert traceback or "Traceback" not in pool.stderr, "there is a traceback in the log"
    finally:
        print(pool.stderr)  # noqa: T201 - pytest shows it beside a failure, and only then
