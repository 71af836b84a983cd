"""The wait of one client for elements, as the loop of its worker knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.engine.line import Place

if TYPE_CHECKING:
    import asyncio

    from corepool_kv.engine.demands import AnyDemand
    from corepool_kv.engine.keyspace import Limits
    from corepool_kv.engine.line import Outcome
    from corepool_kv.engine.taken import Taken
    from corepool_kv.engine.work import Work
    from corepool_kv.stores import StoreError


class Owner(Protocol):
    """All waits of a worker."""

    limits: Limits

    def forget(self, wait: Wait) -> None:
        """Forget a client that waits no more."""

    def give_back(self, demand: AnyDemand, taken: Taken) -> None:
        """Put elements back that were taken for a client that has left."""


class Waiter(Protocol):
    """A client that waits, as it is told of the end."""

    def end_wait(self, outcome: Outcome) -> None:
        """Take the outcome. Runs in: the worker's loop, behind the replies to earlier commands."""

    def fail_wait(self, error: StoreError) -> None:
        """Take an error of the store; the client waits no more."""


class Wait:
    """A client's wait. Implements `execution.Client`, for the transactions that may end it."""

    def __init__(self, owner: Owner, waiter: Waiter) -> None:
        self._owner = owner
        self._waiter = waiter
        self.waiting: list[Work] = []
        self.limits = owner.limits
        self.place = Place(b"", b"")
        """Set by the transaction in which it begins."""
        self.timer: asyncio.TimerHandle | None = None
        self.is_over = False
        """Its outcome is known, and is on its way to the client."""
        self.is_abandoned = False
        """The client has left."""

    @property
    def can_move(self) -> bool:
        """True: another worker can go on with it now."""
        return not self.is_over and not self.waiting

    def answer(self, replies: bytes) -> None:
        """Outcomes are no replies."""

    def explain(self, error: StoreError, commands: int) -> bytes:  # noqa: ARG002
        self._owner.forget(self)
        self._waiter.fail_wait(error)
        return b""

    def settle(self, outcome: Outcome) -> None:
        """Pass the outcome on."""
        if not self.is_abandoned:
            self._waiter.end_wait(outcome)
        elif outcome.taken is not None:
            self._owner.give_back(outcome.demand, outcome.taken)


class Gone:
    """Implements `Waiter` for a client that has left."""

    def end_wait(self, outcome: Outcome) -> None:
        """It is told nothing."""

    def fail_wait(self, error: StoreError) -> None:
        """Its entry is removed when this worker has ended."""
