"""The lines of a TOML text on which its tables, keys and elements stand, by key path: tomli doesn't tell them.

Only a text that tomli has read is scanned, so nothing is judged here: a key is looked at as far as it takes to find its
end, and a value as far as it takes to find the elements in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tomli

if TYPE_CHECKING:
    from corepool.config.mistakes import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PART = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # up to two quotation marks may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\r\n]+")

_KEY = r"""([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*")"""
_STEP = re.compile(rf"\.?{_KEY}|\[(\d+)\]")
_SPELT = re.compile(rf"{_KEY}(?:\.{_KEY}|\[\d+\])*(?= = |:)")
"""The path that a mistake begins with, as `join_path` spells it."""


def lines_of(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, of each key path in a text that is TOML; of none if it is nested too deeply."""
    scanner = _Scanner(text)
    try:
        scanner.document()
    except RecursionError:  # tomli goes deeper
        return {}
    return scanner.lines


def line_of(mistake: str, lines: dict[KeyPath, int]) -> int | None:
    """Return the line of the key path that a mistake begins with, or else of the nearest table around it."""
    spelt = _SPELT.match(mistake)
    if spelt is None:
        return None
    path = [int(number) if number else _unquoted(key) for key, number in _STEP.findall(spelt[0])]
    while path:
        if (line := lines.get(tuple(path))) is not None:
            return line
        path.pop()
    return None


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        """How far line breaks are counted."""
        self._tables: dict[KeyPath, int] = {}
        """How many elements an array of tables has so far."""
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Scan all of it."""
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._heading()
            else:
                self._pair(table)
            self._skip()

    def _heading(self) -> KeyPath:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        line = self._here()
        self._at += brackets
        path: KeyPath = ()
        *parents, last = self._keys()
        for key in parents:
            path = self._note((*path, key), line)
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        path = self._note((*path, last), line, is_own=brackets == 1)
        self._at += brackets
        if brackets == 1:
            return path
        count = self._tables[path] = self._tables.get(path, 0) + 1
        return self._note((*path, count - 1), line)

    def _pair(self, table: KeyPath) -> None:
        line = self._here()
        path = table
        *parents, last = self._keys()
        for key in parents:
            path = self._note((*path, key), line)
        path = self._note((*path, last), line)
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        start = self._text[self._at]
        if start == "[":
            self._elements(path)
        elif start == "{":
            self._at += 1
            self._skip()
            while self._text[self._at] != "}":
                self._pair(path)
                self._past_comma()
            self._at += 1
        else:
            found = (_TEXT if start in "\"'" else _SCALAR).match(self._text, self._at)
            assert found is not None
            self._at = found.end()

    def _elements(self, path: KeyPath) -> None:
        self._at += 1
        self._skip()
        number = 0
        while self._text[self._at] != "]":
            self._value(self._note((*path, number), self._here()))
            number += 1
            self._past_comma()
        self._at += 1

    def _past_comma(self) -> None:
        self._skip()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip()

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            found = _PART.match(self._text, self._at)
            assert found is not None
            keys.append(_unquoted(found[1]))
            self._at = found.end()
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _note(self, path: KeyPath, line: int, *, is_own: bool = False) -> KeyPath:
        """Note a path; the heading of a table itself counts more than that of a table in it."""
        if is_own or path not in self.lines:
            self.lines[path] = line
        return path


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    (name,) = tomli.loads(f"{key} = 0")
    return str(name)
