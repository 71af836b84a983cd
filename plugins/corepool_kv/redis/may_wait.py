"""A request of a command that may wait, such as BLPOP and XREAD."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool_kv.engine.demands import Demand
from corepool_kv.engine.stream_demands import StreamDemand

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.redis.replies import Reply


class MayWait(NamedTuple):
    """A request whose words are read."""

    attempt: Callable[[Keyspace], Reply | AnyDemand]
    """Return the reply, or the demand of a client that has to wait for it."""
    patience_ms: int | None
    """The longest wait; 0: without an end; None: it does not wait."""
    otherwise: Reply
    """The reply where nothing may wait, if there is nothing to return."""
    writes: bool = True

    def at_once(self, db: Keyspace) -> Reply:
        """Return the reply without a wait."""
        answer = self.attempt(db)
        return self.otherwise if isinstance(answer, Demand | StreamDemand) else answer
