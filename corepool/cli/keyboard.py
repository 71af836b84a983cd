"""Single keys from a terminal, without waiting for the end of a line."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
import tty
from functools import partial
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Keyboard:
    """Reads keys while it is used as a context manager; the terminal is put back as it was."""

    def __init__(self, stream: TextIO) -> None:
        """Prepare; without a terminal at `stream` there are no keys."""
        self._fd = stream.fileno() if stream.isatty() else None
        self._restore: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        if self._fd is not None:
            self._restore = partial(termios.tcsetattr, self._fd, termios.TCSADRAIN, termios.tcgetattr(self._fd))
            tty.setcbreak(self._fd)  # Ctrl-C stays a signal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._restore is not None:
            with contextlib.suppress(termios.error):  # the terminal has gone
                self._restore()

    def read(self, timeout_s: float) -> str | None:
        """Wait for a key; None: there was none in time."""
        if self._fd is None:
            time.sleep(max(0.0, timeout_s))
            return None
        if not select.select([self._fd], [], [], max(0.0, timeout_s))[0]:
            return None
        pressed = os.read(self._fd, 1)
        if not pressed:  # the terminal has gone
            self._fd = None
        return pressed.decode("ascii", "replace") or None
