"""A program on a pseudo terminal of a size, and the screen as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

from corepool.testing.waiting import wait_until


class Seen:
    """`corepool` on a terminal. Use as a context manager, which ends it."""

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        lines: int = 24,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        self.terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))
        surroundings = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(  # noqa: S603 - the arguments are the test's own
            [sys.executable, "-m", "corepool", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**surroundings, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})},
            start_new_session=True,
        )
        # Ours as well: what it has done to the terminal is looked at when it has ended.
        self._theirs = theirs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note("--- the screen ---\n" + "\n".join(self.lines()))
        self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        os.close(self.terminal)

    def lines(self) -> list[str]:
        """Return the lines of the screen."""
        return [line.rstrip() for line in self.screen.display]

    def look(self) -> bool:
        """Read what the program has written, if anything; False: nothing came for a moment."""
        if not select.select([self.terminal], [], [], 0.05)[0]:
            return False
        with suppress(OSError):
            data = os.read(self.terminal, 65_536)
            self.bytes += data
            self._stream.feed(data)
        return True

    def wait_for(self, condition: Callable[[list[str]], bool], what: str) -> list[str]:
        """Wait until the screen is as a condition wants it, and return its lines."""
        wait_until(lambda: (self.look(), condition(self.lines()))[1], what=what)
        return self.lines()

    def press(self, key: str) -> None:
        """Press a key."""
        os.write(self.terminal, key.encode())

    def end(self) -> int:
        """Wait for the end of the program, and return its exit status."""
        wait_until(lambda: (self.look(), self.process.poll() is not None)[1], what="it has ended")
        while self.look():
            pass
        return self.process.returncode

    def is_restored(self) -> bool:
        """Return whether the terminal is set as it was before."""
        return termios.tcgetattr(self._theirs) == self.before
