"""The titles of processes: what ps(1), top(1) and htop(1) show in place of a command line that is the same for all.

Written with the heartbeat at most, and only when it says something new: no connection waits for it.
"""

from __future__ import annotations

from setproctitle import setproctitle


class Title:
    """The title of this process; of two, the last one shown counts."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Show a text, after the program's name."""
        if text != self._shown:
            self._shown = text
            setproctitle(f"corepool: {text}")


def count(number: int, thing: str) -> str:
    """Return "1 worker", "2 workers"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
