"""Collections of members with unique names: hashes, sets, and the members of sorted sets."""

from __future__ import annotations

import random
from collections import Counter
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING

from corepool_kv.engine.collection import Collection
from corepool_kv.engine.names import SECTION, SECTION_END, name_of, pack, unpack
from corepool_kv.stores.same_places import MAX_AT_ONE_PLACE, list_part, split_cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

_CRC = Struct(">I")
_CRC_END = 5

_CHOSEN_BY_INDEX = 512
"""Members of a collection from which one is chosen by its index: that takes as long as it has members."""

_CHOSEN_BY_PLACE = 64
"""In a larger one, so many members behind a random place are as likely as each other. With one alone, those behind wide
gaps would be chosen much more often."""

_LOOKED_AT_FOR_ONE = 50
"""Members that may be passed over for each that is chosen; it costs about as much to choose one by its place."""


_TRIES = 4
"""Of `choose_distinct`, for each member: nearly every one finds another."""


class Named(Collection):
    """Members with values, in the order of their CRC."""

    def get(self, member: bytes) -> bytes | None:
        """Return the value of a member; None: there is no such member."""
        stored = self.elements.get(self.id, name_of(member))
        return None if stored is None else unpack(member, stored)[1]

    def __contains__(self, member: bytes) -> bool:
        return self.elements.get(self.id, name_of(member)) is not None

    def put(self, member: bytes, value: bytes) -> bool:
        """Set the value of a member; return True if the member is new.

        The command that has it from a client has checked its length: a member that moves is never refused halfway.
        """
        if self.elements.put(self.id, name_of(member), pack(member, value)) is not None:
            return False
        self.count += 1
        return True

    def remove(self, member: bytes) -> bool:
        """Remove a member; return False if there was none."""
        if self.elements.delete(self.id, name_of(member)) is None:
            return False
        self.count -= 1
        return True

    def items(self, begin: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Yield members and values.

        :param begin: the smallest CRC.
        """
        low = SECTION + _CRC.pack(begin)
        for name, stored in self.elements.between(self.id, low, SECTION_END):
            yield unpack(name[_CRC_END:], stored)

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Return the next cursor and some members with their values, as `View.scan` does for keys."""
        crc, part = split_cursor(cursor)
        if part:
            return list_part(self._items_of(crc), itemgetter(0), crc, part)
        found: list[tuple[bytes, bytes]] = []
        last, begin = b"", 0
        for name, stored in self.elements.between(self.id, SECTION + _CRC.pack(crc), SECTION_END):
            place = name[1:_CRC_END]
            if place != last:
                if len(found) >= count:
                    return _CRC.unpack(place)[0], found
                last, begin = place, len(found)
            elif len(found) - begin == MAX_AT_ONE_PLACE:
                crc = _CRC.unpack(last)[0]
                return (crc, found[:begin]) if begin else list_part(self._items_of(crc), itemgetter(0), crc, 0)
            found.append(unpack(name[_CRC_END:], stored))
        return 0, found

    def _items_of(self, crc: int) -> Iterator[tuple[bytes, bytes]]:
        low = SECTION + _CRC.pack(crc)
        for name, stored in self.elements.between(self.id, low, SECTION_END):
            if name[:_CRC_END] != low:
                return
            yield unpack(name[_CRC_END:], stored)

    def choose(self) -> tuple[bytes, bytes]:
        """Return some member and its value, about as likely as any other one."""
        if self.count <= _CHOSEN_BY_INDEX:
            index = random.randrange(self.count)  # noqa: S311  # no secret
            for number, item in enumerate(self.items()):
                if number == index:
                    return item
        near: list[tuple[bytes, bytes]] = []
        for begin in (random.randrange(1 << 32), 0):  # noqa: S311
            for item in self.items(begin):
                near.append(item)
                if len(near) == _CHOSEN_BY_PLACE:
                    return random.choice(near)  # noqa: S311
        return random.choice(near)  # noqa: S311

    def choose_distinct(self, count: int) -> Iterator[tuple[bytes, bytes]]:
        """Yield so many members with their values, all of them if there are no more."""
        chosen: dict[bytes, bytes] = {}
        if count * _LOOKED_AT_FOR_ONE <= self.count and self.count > _CHOSEN_BY_INDEX:
            for _ in range(_TRIES * count):
                if len(chosen) < count:
                    member, value = self.choose()
                    chosen[member] = value
        if len(chosen) == count:
            yield from chosen.items()
        else:
            # A client may have chosen members with equal CRCs: of very many in one place, `choose` finds few.
            wanted = set(random.sample(range(self.count), min(count, self.count)))
            yield from (item for number, item in enumerate(self.items()) if number in wanted)

    def choose_many(self, count: int) -> list[tuple[bytes, bytes]]:
        """Return so many members with their values, the same ones more than once."""
        if count * _LOOKED_AT_FOR_ONE <= self.count and self.count > _CHOSEN_BY_INDEX:
            return [self.choose() for _ in range(count)]
        times = Counter(random.choices(range(self.count), k=count))  # noqa: S311
        chosen = [item for number, item in enumerate(self.items()) for _ in range(times[number])]
        random.shuffle(chosen)
        return chosen
