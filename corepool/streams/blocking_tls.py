"""The wait of a thread for TLS, which the loop begins on its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.streams.errors import GoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.spec.types import CloseReason
    from corepool.streams.inbox import Inbox


class Handshake:
    """One call of `start_tls`. All methods are called under the lock of the stream."""

    def __init__(self, start: Callable[[bytes], None]) -> None:
        """Prepare.

        :param start: begins TLS on the connection, with bytes that were received for it.
        """
        self._start = start
        self._error: BaseException | None = None
        self.is_awaited = True
        """Neither is TLS open, nor has it failed to begin."""

    def begin(self, inbox: Inbox, later: int) -> None:
        """Begin TLS, and empty the inbox. Runs in the loop's thread.

        :param later: bytes at the inbox's end that have come since the last output: they are the client's handshake.
        """
        try:
            self._start(bytes(inbox.data[-later:]) if later else b"")
        except HOOK_ERRORS as error:  # raised in the thread that waits
            self._error = error
            self.is_awaited = False
        else:
            inbox.forget()
            inbox.is_ended = False  # TLS meets the end by itself

    def end(self, gone: CloseReason | None) -> None:
        """Raise the error for the thread, if there is one.

        :param gone: why the connection is gone, if it is.
        """
        if self._error is not None:
            raise self._error
        if self.is_awaited:
            raise GoneError(f"TLS has not been established: {gone}")
