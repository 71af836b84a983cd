"""Errors that the engine raises, typed: each dialect has words of its own for them.

Those of a store that fails are `corepool_kv.stores.StoreError`.
"""

from __future__ import annotations

from corepool_kv.stores import StoreError


class RefusedError(Exception):
    """The engine refuses a command, which has changed nothing until then."""


class KeyTooLongError(RefusedError):
    """The store can't hold a key of that length."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"key of more than {max_bytes} bytes")
        self.max_bytes = max_bytes


class ValueTooLongError(RefusedError):
    """The client's limits don't allow a value of that length."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"value of more than {max_bytes} bytes")
        self.max_bytes = max_bytes


class OutOfRoomError(RefusedError):
    """The store is as large as it may become, and nothing can be evicted from it."""


class AbandonedError(StoreError):
    """Raised by work that has changed data and can't be finished: nothing of its transaction is committed."""

    def __init__(self, reply: bytes) -> None:
        """Void the transaction.

        :param reply: the answer, as the dialect encodes it, to each command of the client in that transaction.
        """
        super().__init__("work was abandoned")
        self.reply = reply


class HalfDoneError(AbandonedError):
    """Raised by work that has failed when it had changed data: the work in front of it is run again, without it."""

    done = 0
    """How much of the client's work has been run in front of it."""
