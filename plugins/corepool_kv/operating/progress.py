"""Progress on a terminal: one line that is written again and again."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_INTERVAL_S = 0.5
_MIB = 1 << 20


class Progress:
    """A line on standard error, if that is a terminal; it is gone at the end."""

    def __init__(self, word: str, *, is_quiet: bool, in_bytes: bool = True) -> None:
        """Write nothing yet.

        :param word: for the thing that has been done.
        """
        self._word = word
        self._in_bytes = in_bytes
        self._is_shown = not is_quiet and sys.stderr.isatty()
        self._told_s = time.monotonic()
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._written:
            self._write(" " * self._written)
            self._write("")

    def tell(self, done: int, most: int) -> None:
        """Show how much has been done, now and then.

        :param most: what it may become.
        """
        now_s = time.monotonic()
        if not self._is_shown or now_s < self._told_s + _INTERVAL_S:
            return
        self._told_s = now_s
        if self._in_bytes:
            text = f"{self._word} {done // _MIB} MiB of {most // _MIB} at most"
        else:
            text = f"{done} {self._word} of about {most}"
        self._write(text.ljust(self._written))
        self._written = len(text)

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(f"\r{text}\r")
        sys.stderr.flush()
