"""Patterns of paths, as .gitignore has them: `*` and `?` stand for characters of one part, `**` for any folders."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNCLOSED = re.compile(r"\[(?!!?\]?[^\]]*\])")

_NEVER = "(?!)"
"""What `translate` makes of a set of characters without any, such as [z-a]."""


class PathPattern:
    """A pattern that is judged once, and compared with many paths.

    One without a slash is compared with the last part of a path, in whatever folder that is.
    """

    def __init__(self, pattern: str) -> None:
        """Read it.

        :raises ValueError: no path below a folder is like that.
        """
        parts = pattern.split("/")
        if pattern.startswith("/"):
            raise ValueError(f"{pattern!r}: paths below a folder begin without a slash: {pattern.lstrip('/')!r}")
        if pattern.endswith("/"):
            raise ValueError(f"{pattern!r}: no file's path ends so; all files below it are {pattern + '**'!r}")
        if not {"", ".", ".."}.isdisjoint(parts):
            raise ValueError(f"{pattern!r}: no file's path has a part that is empty, `.` or `..`")
        if any(map(_UNCLOSED.search, parts)):
            raise ValueError(f"{pattern!r}: a set of characters ends with ], and has no slash; a [ itself is [[]")
        if _NEVER in translate(pattern):
            raise ValueError(f"{pattern!r}: a set of characters is empty")
        parts = ["**", *parts] if len(parts) == 1 else parts
        self._parts = [None if each == "**" else re.compile(translate(each)).match for each in parts]
        if self._parts[-1] is None:  # a file, in any folder below
            self._parts.append(re.compile("").match)

    def matches(self, path: str) -> bool:
        """Return whether a path is like that."""
        return _match(path.split("/"), self._parts)


def _match(path: Sequence[str], pattern: Sequence[Callable[[str], object] | None]) -> bool:
    if not pattern or not path:
        return not pattern and not path
    first, rest = pattern[0], pattern[1:]
    if first is None:
        return any(_match(path[begin:], rest) for begin in range(len(path)))
    return bool(first(path[0])) and _match(path[1:], rest)
