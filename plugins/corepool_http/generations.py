"""A bounded table of entries that were used lately."""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Generations(dict["_Key", "_Value"]):
    """A bounded table which forgets keys that were not used lately. Use `table[key]`: a miss gives None.

    When the young generation is full it becomes the old one, and the old one is forgotten; a key found
    in the old one becomes young again. A hit in the young one costs what a dict does.
    """

    def __init__(self, most: int) -> None:
        """Begin empty.

        :param most: entries of each generation.
        """
        super().__init__()
        self._most = most
        self._old: dict[_Key, _Value] = {}

    def __missing__(self, key: _Key) -> _Value | None:
        value = self._old.get(key)
        if value is not None:
            self.keep(key, value)
        return value

    def keep(self, key: _Key, value: _Value) -> None:
        """Add an entry."""
        if len(self) >= self._most:
            self._old = dict(self)
            self.clear()
        self[key] = value
