"""Values of a connection's fields that stand for a state, and the budgets of an event."""

from __future__ import annotations

READS_PER_EVENT = 4
"""Calls of recv that one event may make: 256 KiB at the default limit, then the others get their turn."""

SENDS_PER_EVENT = 4
"""Calls of send that one event may make, for the same reason."""

MAX_GATHERED = 16_384
"""Bytes of output that a connection may keep while others of its turn are served."""

NOT_SERVING = -1
"""Of `reads_left`: no event is being served."""

PARKED = -1
"""Of `mask`: out of epoll, but not gone."""

GONE = -2
"""Of `mask`: handed to its owner to be closed."""

NEW = -3
"""Of `mask`: not in epoll yet; its first input is looked for when the events of this turn were served."""

NEVER = 0.0
"""Of times."""

NOTHING = b""
"""Of `out`. Compared by identity, which costs less than a test for emptiness; any other empty output is just sent."""
