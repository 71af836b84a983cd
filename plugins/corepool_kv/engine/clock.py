"""The two clocks that each command reads."""

from __future__ import annotations

import time

__all__ = ["milliseconds", "seconds"]


def milliseconds_in_python() -> int:
    """Return the time since the epoch, in milliseconds."""
    return time.time_ns() // 1_000_000


seconds_in_python = time.monotonic
"""Return the time of a clock that is never set, in seconds."""

try:
    from corepool_kv.engine._clock import milliseconds, seconds
except ImportError:  # corepool was installed without a compiler
    milliseconds, seconds = milliseconds_in_python, seconds_in_python
