"""The mistakes of a configuration that are found while it is made and bound."""

from __future__ import annotations

from typing import NamedTuple

from corepool.errors import ConfigError
from corepool.logs.tracebacks import spell_place, spell_traceback


class Remark(NamedTuple):
    """A sentence about a configuration with which a pool starts all the same, such as a certificate that ends soon."""

    text: str
    is_mistake: bool
    """`corepool check` fails for it: an expired certificate, say."""


class Mistakes:
    """Every mistake, once, and the tracebacks of those that are in the code of plugins."""

    def __init__(self) -> None:
        """Begin without any."""
        self._mistakes: list[str] = []
        self._tracebacks: list[str] = []

    def add(self, mistake: str, cause: BaseException | None = None) -> None:
        """Note a mistake.

        :param cause: the exception that a plugin's code has raised, if the mistake is in it.
        """
        if mistake not in self._mistakes:
            self._mistakes.append(mistake)
            if cause is not None:
                self._tracebacks.append(spell_traceback(cause))

    def copy(self) -> Mistakes:
        """Return a copy, to which others can be added."""
        copy = Mistakes()
        copy._mistakes, copy._tracebacks = self._mistakes[:], self._tracebacks[:]
        return copy

    def finish(self) -> None:
        """Raise ConfigError with every mistake, if there are any."""
        if self._mistakes:
            raise ConfigError(self._mistakes, tracebacks=self._tracebacks)


def spell_failure(error: BaseException) -> str:
    """Return an exception of a plugin in words, with the place in its code."""
    return f"{type(error).__name__}: {error}{spell_place(error)}"
