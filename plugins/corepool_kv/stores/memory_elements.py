"""The elements of collections in memory: a sorted dictionary for each collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sortedcontainers import SortedDict  # type: ignore[import-untyped]

from corepool_kv.stores import ID_BYTES, NoRoomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool_kv.stores import Element


class Collections:
    """The elements of all collections, and their size."""

    def __init__(self) -> None:
        self.all: dict[bytes, SortedDict[bytes, bytes]] = {}
        self.garbage: dict[bytes, SortedDict[bytes, bytes]] = {}
        """Collections that were removed; the sweeper removes their elements, for that takes long."""
        self.bytes = 0
        """Of the names and values of all elements, garbage included."""

    def put(self, collection: bytes, name: bytes, value: bytes) -> bytes | None:
        """Store an element, and return the value that it had."""
        elements = self.all.get(collection)
        if elements is None:
            elements = self.all[collection] = SortedDict()
        before: bytes | None = elements.get(name)
        elements[name] = value
        self.bytes += len(value) - len(before) if before is not None else ID_BYTES + len(name) + len(value)
        return before

    def delete(self, collection: bytes, name: bytes) -> bytes | None:
        """Remove an element, and return the value that it had."""
        elements = self.all.get(collection)
        before: bytes | None = None if elements is None else elements.pop(name, None)
        if elements is not None and before is not None:
            self.bytes -= ID_BYTES + len(name) + len(before)
            if not elements:
                del self.all[collection]
        return before

    def discard(self, collection: bytes) -> None:
        """Make garbage of a collection."""
        elements = self.all.pop(collection, None)
        if elements is not None:
            self.garbage[collection] = elements

    def restore(self, collection: bytes) -> None:
        """Take a collection back that was made garbage."""
        elements = self.garbage.pop(collection, None)
        if elements is not None:
            self.all[collection] = elements

    def clear(self) -> None:
        """Remove everything."""
        self.all.clear()
        self.garbage.clear()
        self.bytes = 0


class MemoryElements:
    """Implements `Elements`: changes them at once, and remembers what they were."""

    def __init__(self, collections: Collections, has_room: Callable[[], bool]) -> None:
        self._collections = collections
        self._has_room = has_room
        self._before: dict[tuple[bytes, bytes], bytes | None] = {}
        self._discarded: list[bytes] = []

    def undo(self) -> None:
        """Put the changed elements back."""
        for collection in self._discarded:
            self._collections.restore(collection)
        for (collection, name), value in self._before.items():
            if value is None:
                self._collections.delete(collection, name)
            else:
                self._collections.put(collection, name, value)

    def discard(self, collection: bytes) -> None:
        """Remove a collection."""
        self._collections.discard(collection)
        self._discarded.append(collection)

    def get(self, collection: bytes, name: bytes) -> bytes | None:
        elements = self._collections.all.get(collection)
        return None if elements is None else elements.get(name)

    def between(self, collection: bytes, low: bytes, high: bytes, *, reverse: bool = False) -> Iterator[Element]:
        elements = self._collections.all.get(collection)
        if elements is not None:
            for name in elements.irange(low, high, (True, False), reverse):
                yield name, elements[name]

    def count_between(self, collection: bytes, low: bytes, high: bytes) -> int:
        elements = self._collections.all.get(collection)
        return 0 if elements is None else max(0, elements.bisect_left(high) - elements.bisect_left(low))

    def put(self, collection: bytes, name: bytes, value: bytes) -> bytes | None:
        before = self._collections.put(collection, name, value)
        self._before.setdefault((collection, name), before)
        if not self._has_room():
            raise NoRoomError
        return before

    def delete(self, collection: bytes, name: bytes) -> bytes | None:
        before = self._collections.delete(collection, name)
        if before is not None:
            self._before.setdefault((collection, name), before)
        return before

    def has_any(self, collection: bytes) -> bool:
        return collection in self._collections.all

    def has_garbage(self) -> bool:
        return bool(self._collections.garbage)

    def remove_garbage(self, limit: int) -> int:
        removed = 0
        # A collection that was discarded in this transaction comes back if that is undone.
        for collection in self._collections.garbage.keys() - set(self._discarded):
            elements = self._collections.garbage[collection]
            while elements and removed < limit:
                name, value = elements.popitem()
                self._collections.bytes -= ID_BYTES + len(name) + len(value)
                removed += 1
            if elements:
                break
            del self._collections.garbage[collection]
        return removed
