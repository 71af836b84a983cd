"""Work that runs in transactions, its clients, and its outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from corepool_kv.engine.keyspace import Keyspace, Limits

if TYPE_CHECKING:
    from corepool_kv.stores import StoreError

Work: TypeAlias = Callable[[Keyspace], bytes]
"""A command of a dialect: it reads and changes the data, and returns its reply as the client gets it.

It words every error that ends this command alone. Any other exception voids the transaction.
"""


class Client(Protocol):
    """A client whose work runs in transactions."""

    waiting: list[Work]
    """The oldest first."""

    limits: Limits

    def answer(self, replies: bytes) -> None:
        """Take the replies to the oldest commands, which wait no longer."""

    def explain(self, error: StoreError, commands: int) -> bytes:
        """Return the replies to commands of a transaction that has failed: nothing of it has happened."""


Outcome: TypeAlias = tuple[Client, int, bytes]
"""The result of one client's commands in a transaction: how many have run, and their replies."""


class Committed(NamedTuple):
    """A transaction that was committed: its outcomes, and the calls to be made for it."""

    outcomes: list[Outcome]
    at_end: list[Callable[[], None]]
