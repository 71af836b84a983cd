"""Running a load program to its end, on the load's core."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from benchmarks.processes import pinned
from benchmarks.results import BenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 120.0  # far above any run here; a load that hangs on a server that lost its requests ends too


def run(command: Sequence[str], core: int) -> str:
    """Run `command` on `core` and give what it printed.

    :raises BenchError: it failed or didn't end in time; with what it said.
    """
    with pinned(core):
        process = subprocess.Popen(  # noqa: S603 - the commands are our own
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with process:
        try:
            output, rate_limited = process.communicate(timeout=TIMEOUT_S)
        except BaseException as error:
            process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"{' '.join(command)}: not done after {TIMEOUT_S:.0f} s") from None
            raise
    if process.returncode != 0:
        raise BenchError(f"{' '.join(command)}: exit status {process.returncode}: {rate_limited.strip()}")
    return output
