"""Lists: each element has a position, and those of neighbours differ by one.

So both ends and every index cost the same in a list of any length. A change in the middle moves the elements on its
shorter side.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from corepool_kv.engine.collection import Collection
from corepool_kv.stores import LIST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool_kv.engine.keyspace import Keyspace
    from corepool_kv.stores import Record

_SECTION = b"i"
_POSITION_BYTES = 8
_FIRST = 1 << 62
"""The position of the first element of a new list, far from both ends of the numbers of 8 bytes."""

_MOVED_AT_A_TIME = 1000
PUSHED = (b"rpush", b"lpush")
POPPED = (b"rpop", b"lpop")
"""Events of the end of a list, and of its front."""

_CUT_AT_ONCE = 1000
"""Elements that `trim` removes itself; of more, it leaves them to the sweeper if the rest is shorter."""


def _name(position: int) -> bytes:
    return _SECTION + position.to_bytes(_POSITION_BYTES)


class List(Collection):
    """Elements by their index, from 0."""

    type = LIST

    def __init__(self, db: Keyspace, key: bytes, record: Record | None) -> None:
        self._head = _FIRST
        super().__init__(db, key, record)

    def _read(self, rest: bytes) -> None:
        self._head = int.from_bytes(rest[:_POSITION_BYTES])

    def _write(self) -> bytes:
        return self._head.to_bytes(_POSITION_BYTES)

    def get(self, index: int) -> bytes | None:
        """Return an element; None if the list is shorter."""
        if not 0 <= index < self.count:
            return None
        return self.elements.get(self.id, _name(self._head + index))

    def set(self, index: int, value: bytes) -> None:
        """Replace an element that exists."""
        self.elements.put(self.id, _name(self._head + index), value)

    def push(self, value: bytes, *, left: bool) -> None:
        """Add an element at an end.

        The command that has it from a client has checked its length: an element that moves is never refused halfway.
        """
        if left:
            self._head -= 1
            position = self._head
        else:
            position = self._head + self.count
        self.elements.put(self.id, _name(position), value)
        self.count += 1

    def pop(self, *, left: bool) -> bytes:
        """Remove an element at an end, of a list that has one."""
        self.count -= 1
        position = self._head if left else self._head + self.count
        if left:
            self._head += 1
        return self.elements.delete(self.id, _name(position)) or b""

    def between(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[bytes]:
        """Yield the elements with start <= index < stop."""
        low, high = _name(self._head + start), _name(self._head + stop)
        return (value for _, value in self.elements.between(self.id, low, high, reverse=reverse))

    def insert(self, index: int, value: bytes) -> None:
        """Add an element in front of another."""
        if index < self.count // 2:
            self._shift(0, index, -1)
            self._head -= 1
        else:
            self._shift(index, self.count, 1)
        self.count += 1
        self.set(index, value)

    def remove(self, indexes: list[int]) -> None:
        """Remove elements.

        :param indexes: the smallest first, at least one.
        """
        first, last = indexes[0], indexes[-1]
        gone = set(indexes)
        if last < self.count - first:
            kept = ((index, value) for index, value in self._backwards(last) if index not in gone)
            position = self._move(kept, self._head + last, -1)
            self._clear(self._head, position + 1)
            self._head = position + 1
        else:
            kept = ((index, value) for index, value in self._forwards(first) if index not in gone)
            position = self._move(kept, self._head + first, 1)
            self._clear(position, self._head + self.count)
        self.count -= len(indexes)

    def trim(self, start: int, stop: int) -> None:
        """Keep the elements with start <= index < stop alone, and save the list."""
        kept = max(0, stop - start)
        if not kept:
            self.db.delete(self.key)
            self.count = 0
            return
        if self.count - kept > max(kept, _CUT_AT_ONCE):
            self._leave(start, stop)
        else:
            self._clear(self._head, self._head + start)
            self._clear(self._head + stop, self._head + self.count)
            self._head += start
        self.count = kept
        self.save()

    def _leave(self, start: int, stop: int) -> None:
        """Take some elements to a new collection; `save` makes garbage of the others."""
        old, head = self.id, self._head
        self.id = self.db.new_collection()
        for begin in range(start, stop, _MOVED_AT_A_TIME):
            end = min(stop, begin + _MOVED_AT_A_TIME)
            for name, value in list(self.elements.between(old, _name(head + begin), _name(head + end))):
                self.elements.put(self.id, name, value)
        self._head += start

    def _shift(self, start: int, stop: int, by: int) -> None:
        """Move the elements with start <= index < stop; those in their way are moved first."""
        if by > 0:
            self._move(self._backwards(stop - 1, start), self._head + stop - 1 + by, -1)
        else:
            self._move(self._forwards(start, stop), self._head + start + by, 1)

    def _move(self, items: Iterable[tuple[int, bytes]], position: int, step: int) -> int:
        """Store elements in consecutive positions; return the next one."""
        for _, value in items:
            self.elements.put(self.id, _name(position), value)
            position += step
        return position

    def _forwards(self, start: int, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield indexes and elements, a batch at a time: those that were yielded may be changed meanwhile."""
        stop = self.count if stop is None else stop
        for begin in range(start, stop, _MOVED_AT_A_TIME):
            yield from enumerate(list(self.between(begin, min(stop, begin + _MOVED_AT_A_TIME))), begin)

    def _backwards(self, last: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """Do the same from the last index to the first."""
        for end in range(last + 1, first, -_MOVED_AT_A_TIME):
            begin = max(first, end - _MOVED_AT_A_TIME)
            values = list(self.between(begin, end, reverse=True))
            yield from zip(itertools.count(end - 1, -1), values, strict=False)

    def _clear(self, begin: int, end: int) -> None:
        for position in range(begin, end):
            self.elements.delete(self.id, _name(position))


def move(found: List, other: List, *, from_front: bool, to_front: bool) -> bytes:
    """Move an element of a list to a list, which may be the same, and return it."""
    value = found.pop(left=from_front)
    if other is not found:
        found.save()
    other.push(value, left=to_front)
    other.save()
    other.tell(PUSHED[to_front])
    found.tell(POPPED[from_front])
    return value
