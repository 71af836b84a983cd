"""A configuration as read: its usable part, its mistakes so far, and their places."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from corepool.config.environment import PREFIX
from corepool.config.runtime import Origin
from corepool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from corepool.config.mistakes import KeyPath
    from corepool.config.settings import Settings

COMMAND_LINE = "the command line"
ENVIRONMENT = "the environment"

_AFTER_A_PATH = (".", "[", ":", " ")


@dataclass
class Draft:
    """A configuration as read: its usable part, and its mistakes so far.

    :param source: the file it came from, for messages.
    :param flags: the name of the flag behind a key path that the command line gave.
    """

    settings: Settings | None
    source: str
    mistakes: list[str] = field(default_factory=list)
    flags: Mapping[str, str] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    """Key paths that the source itself has."""
    stand_ins: frozenset[str] = frozenset()
    """Key paths whose values were refused: other values stand in for them, for the checks that come later."""
    doubts: list[str] = field(default_factory=list)
    """Settings that are allowed, and probably not meant."""
    text: str | None = None
    """The text of the file, if it came from one."""
    tracebacks: list[str] = field(default_factory=list)
    """Of the mistakes that are in a plugin's code."""
    started_from: Origin = field(default_factory=lambda: Origin("corepool"))
    """Where the settings come from, for the pool's name."""

    def origin(self, path: str) -> str:
        """Return the place that the value of a key path comes from."""
        name = self.flags.get(path)
        if name is not None:
            return f"{ENVIRONMENT}: {name}" if not name.startswith("--") else f"{COMMAND_LINE}: {name}"
        return self.source if path in self.written else "default"

    def add(self, found: Iterable[str]) -> None:
        """Add mistakes, except those about values that only stand in for refused ones, and those that are known."""
        for mistake in found:
            if mistake not in self.mistakes and not any(is_about(mistake, path) for path in self.stand_ins):
                self.mistakes.append(mistake)

    def judge(self, check: Callable[[], object]) -> None:
        """Add the mistakes that a check raises."""
        try:
            check()
        except ConfigError as error:
            self.add_error(error)

    def add_error(self, error: ConfigError) -> None:
        """Add the mistakes that an error carries."""
        self.add(error.mistakes)
        self.tracebacks += error.tracebacks

    def spell_doubts(self) -> list[str]:
        """Return the doubts with their places, as mistakes have them."""
        found: list[str] = []
        for doubt in self.doubts:
            named = self._with_flag(doubt)
            place = self._place(self._line(doubt)) if named == doubt else None
            found.append(named if place is None else f"{place}: {named}")
        return found

    def finish(self) -> Settings:
        """Return the settings.

        :raises ConfigError: with every mistake, if there are any: those of the file in its order.
        """
        if self.settings is not None and not self.mistakes:
            return self.settings
        of_flags: list[str] = []
        of_variables: list[str] = []
        of_source: list[tuple[int, str]] = []
        for mistake in self.mistakes:
            named = self._with_flag(mistake)
            if named.startswith((PREFIX, "WEB_CONCURRENCY", "PORT")):
                of_variables.append(named)
            elif named != mistake or self.source == COMMAND_LINE:
                of_flags.append(named)
            else:
                of_source.append((self._line(mistake), mistake))
        of_source.sort(key=lambda each: each[0])
        # A dict for an ordered set: one flag may stand for several keys, each with the same mistake.
        elsewhere = list(dict.fromkeys([*of_variables, *of_flags]))
        groups = ((self.source, of_source), (ENVIRONMENT, of_variables), (COMMAND_LINE, of_flags))
        raise ConfigError(
            [*(mistake for _, mistake in of_source), *elsewhere],
            " and ".join(source for source, found in groups if found) or COMMAND_LINE,
            self.tracebacks,
            [*(self._place(line) for line, _ in of_source), *(None for _ in elsewhere)],
        )

    def _line(self, mistake: str) -> int:
        """Return the line that a mistake is in; 0: it is not known."""
        from corepool.config.positions import line_of  # noqa: PLC0415 - of mistakes alone

        return line_of(mistake, self._lines) or 0

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        from corepool.config.positions import lines_of  # noqa: PLC0415 - of mistakes alone

        return {} if self.text is None else lines_of(self.text)

    def _place(self, line: int) -> str | None:
        if self.text is None:
            return None
        return f"{self.source}:{line}" if line else self.source

    def _with_flag(self, mistake: str) -> str:
        for path, flag in self.flags.items():
            if is_about(mistake, path):
                return flag + mistake.removeprefix(path)
        return mistake


def is_about(mistake: str, path: str) -> bool:
    """Return whether a mistake is about the value at a key path, or about one in it."""
    return mistake.startswith(path) and mistake.removeprefix(path).startswith(_AFTER_A_PATH)
