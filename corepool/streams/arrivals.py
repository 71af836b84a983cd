"""Conditions on which the thread of a stream waits, one of them also a descriptor for code that waits by select(2)."""

from __future__ import annotations

import os
import threading
import time

from corepool.streams.errors import DeadlineError


class Arrivals(threading.Condition):
    """Input has come, or the end. Its methods are called under the lock."""

    _fd = -1

    @property
    def is_watched(self) -> bool:
        """Whether there is a descriptor."""
        return self._fd >= 0

    def fileno(self) -> int:
        """Return a descriptor that is readable from each `notify` on until `clear`, and always writable."""
        if self._fd < 0:
            self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return self._fd

    def notify(self, n: int = 1) -> None:
        """Wake the thread; `notify_all` does so by this."""
        super().notify(n)
        if self._fd >= 0:
            os.eventfd_write(self._fd, 1)

    def clear(self) -> None:
        """Let the descriptor be readable no more."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            pass  # it isn't

    def close(self) -> None:
        """Close the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def wait_on(condition: threading.Condition, give_up: float | None, timeout_s: float | None) -> None:
    """Wait for a condition.

    :param give_up: until when, as time.monotonic says it; None: for ever.
    :raises DeadlineError: that was before now; `timeout_s` is for its words.
    """
    if give_up is None:
        condition.wait()
        return
    left_s = give_up - time.monotonic()
    if left_s <= 0:
        raise DeadlineError(f"nothing happened within {timeout_s:g} s")
    condition.wait(left_s)
