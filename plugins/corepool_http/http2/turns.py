"""The order in which the streams of a connection share its output (RFC 9218). Pure: no I/O, no clock.

| a client says | its response |
|---|---|
| `u=0` to `u=7` | comes before those of a higher number; 3 if it says none |
| `i` | shares its urgency with others, a piece of each in turn |
| something, but no `i` | comes as a whole, in the order of the requests; it takes turns with those that share |
| nothing | shares: a large download keeps no small response waiting |

The tree of RFC 7540 is ignored, as RFC 9113, 5.3 has it.
"""

from __future__ import annotations


class Level:
    """The streams of one urgency."""

    __slots__ = ("is_turn_of_serial", "serial", "shared")

    def __init__(self) -> None:
        self.serial: set[int] = set()
        self.shared: dict[int, None] = {}
        """In the order of their turns."""
        self.is_turn_of_serial = True

    def __bool__(self) -> bool:
        return bool(self.serial or self.shared)

    def next(self) -> int:
        """Return the number of the stream whose turn it is, and let the others be before it the next time."""
        if self.serial and (self.is_turn_of_serial or not self.shared):
            self.is_turn_of_serial = False
            return min(self.serial)
        self.is_turn_of_serial = True
        number = next(iter(self.shared))
        del self.shared[number]
        self.shared[number] = None
        return number


class Turns:
    """The streams that have content to send, and may send it."""

    __slots__ = ("_levels", "_places")

    def __init__(self) -> None:
        self._levels: dict[int, Level] = {}
        self._places: dict[int, int] = {}
        """Of each stream twice its urgency, and one more if it shares."""

    def __len__(self) -> int:
        return len(self._places)

    def add(self, number: int, urgency: int, shares: bool) -> None:  # noqa: FBT001
        """Have a stream wait for its turn, or for another one."""
        place = urgency << 1 | shares
        if number in self._places:
            if self._places[number] == place:
                return
            self.discard(number)
        self._places[number] = place
        level = self._levels.get(urgency)
        if level is None:
            level = self._levels[urgency] = Level()
        if shares:
            level.shared[number] = None
        else:
            level.serial.add(number)

    def discard(self, number: int) -> None:
        """Let a stream wait no more, if it does."""
        place = self._places.pop(number, None)
        if place is None:
            return
        level = self._levels[place >> 1]
        if place & 1:
            del level.shared[number]
        else:
            level.serial.discard(number)
        if not level:
            del self._levels[place >> 1]

    def next(self) -> int:
        """Return the number of the stream whose turn it is. There must be one."""
        levels = self._levels
        return levels[min(levels)].next()
