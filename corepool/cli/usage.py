"""A mistake in the arguments of a command, for whichever parser has read them."""

from __future__ import annotations


class UsageError(Exception):
    """A mistake in the arguments; `argument` is the one that it is in."""

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message)
        self.argument = argument
