"""The two clocks that each request reads."""

from __future__ import annotations

import time

__all__ = ["monotonic", "second"]


def second_in_python() -> int:
    """Return the time since the epoch, in whole seconds."""
    return int(time.time())


monotonic_in_python = time.monotonic
"""Return the time of a clock that is never set, in seconds."""

try:
    from corepool_http._clock import monotonic, second
except ImportError:  # corepool was installed without a compiler
    monotonic, second = monotonic_in_python, second_in_python
