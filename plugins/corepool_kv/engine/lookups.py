"""The keys that commands have looked up."""

from __future__ import annotations


class Lookups:
    """Counts, for a store in one worker, the keys that commands that read have found, and those that they have not."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0

    def take(self) -> tuple[int, int]:
        """Return the hits and the misses since the last call."""
        taken = self.hits, self.misses
        self.hits = self.misses = 0
        return taken
