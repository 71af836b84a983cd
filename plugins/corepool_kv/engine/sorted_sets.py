"""Sorted sets: members with scores, and an index of them by score and member.

The index has a name for each member: a section, the score in 8 bytes that sort as numbers do, and the member. Members
of equal scores are in the order of their bytes; those with the same first MAX_WHOLE bytes in that of their digests.
A score of -0 is kept as 0.
"""

from __future__ import annotations

import itertools
from struct import Struct
from typing import TYPE_CHECKING

from corepool_kv.engine.named import Named
from corepool_kv.engine.names import MAX_WHOLE, pack, shorten, unpack
from corepool_kv.stores import SORTED_SET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Member = tuple[bytes, float]
    """A member and its score."""

_SECTION = b"s"
_SECTION_END = b"t"
_DOUBLE = Struct(">d")
_BITS = Struct(">Q")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_MEMBER_AT = 9
_REMOVED_ONE_BY_ONE = 1000
"""Members that `remove_all` removes itself; of more, it leaves them to the sweeper if there are fewer others."""


def _place(score: float, *, behind: bool = False) -> bytes:
    """Return where members of a score begin in the index, or those of the next larger score."""
    (bits,) = _BITS.unpack(_DOUBLE.pack(score + 0.0))
    bits = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    return _SECTION + _BITS.pack(bits + behind)


def _score_at(name: bytes) -> float:
    (bits,) = _BITS.unpack(name[1:_MEMBER_AT])
    bits = bits & ~_SIGN if bits & _SIGN else bits ^ _ALL
    score: float = _DOUBLE.unpack(_BITS.pack(bits))[0]
    return score


def _member(element: tuple[bytes, bytes]) -> Member:
    name, stored = element
    return unpack(name[_MEMBER_AT:], stored)[0], _score_at(name)


class SortedSet(Named):
    """Members with scores."""

    type = SORTED_SET

    def score(self, member: bytes) -> float | None:
        """Return the score of a member; None: there is no such member."""
        stored = self.get(member)
        return None if stored is None else self.score_of(stored)

    def add(self, member: bytes, score: float, before: float | None) -> None:
        """Set the score of a member.

        :param before: its score until now, as `score` has returned it.
        """
        self.put(member, _DOUBLE.pack(score + 0.0))
        if before is not None:
            self.elements.delete(self.id, _place(before) + shorten(member))
        self.elements.put(self.id, _place(score) + shorten(member), pack(member, b""))

    def remove(self, member: bytes) -> bool:
        """Remove a member; return False if there was none."""
        score = self.score(member)
        if score is None:
            return False
        super().remove(member)
        self.elements.delete(self.id, _place(score) + shorten(member))
        return True

    @staticmethod
    def score_of(value: bytes) -> float:
        """Return the score that the value of a member is, as `items` yields it."""
        score: float = _DOUBLE.unpack(value)[0]
        return score

    def members(self) -> Iterator[Member]:
        """Yield members and scores in no order: the fastest way."""
        return ((member, self.score_of(value)) for member, value in self.items())

    def rank(self, member: bytes, score: float) -> int:
        """Return the number of members in front of one."""
        return self.elements.count_between(self.id, _SECTION, _place(score) + shorten(member))

    def by_rank(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[Member]:
        """Yield the members with start <= rank < stop, of ranks that begin at the last one if `reverse`."""
        if start > self.count - stop:
            found = itertools.islice(self._index(not reverse), self.count - stop, self.count - start)
            return map(_member, reversed(list(found)))
        return map(_member, itertools.islice(self._index(reverse), start, stop))

    def by_score(self, bounds: ScoreRange, *, reverse: bool = False) -> Iterator[Member]:
        """Yield the members in a range of scores."""
        return map(_member, self.elements.between(self.id, bounds.low, bounds.high, reverse=reverse))

    def count_by_score(self, bounds: ScoreRange) -> int:
        """Count the members in a range of scores."""
        return self.elements.count_between(self.id, bounds.low, bounds.high)

    def by_lex(self, bounds: LexRange, *, reverse: bool = False) -> Iterator[Member]:
        """Yield the members in a range of bytes, of a set whose scores are equal.

        Of any other set, those in the order of scores from the first that is not too small to the first too large.
        """
        ends = [_member(each) for end in (False, True) for each in itertools.islice(self._index(end), 1)]
        if not ends:
            return iter(())
        first, last = ends
        if first[1] == last[1]:
            low = _place(first[1]) + (bounds.low or b"")[:MAX_WHOLE]
            if not reverse:
                found = map(_member, self.elements.between(self.id, low, _SECTION_END))
                return _while(found, bounds.ends_before, bounds.begins_behind)
            high = _SECTION_END if bounds.high is None else _place(first[1]) + bounds.high[:MAX_WHOLE] + b"\xff" * 33
            found = map(_member, self.elements.between(self.id, low, high, reverse=True))
            return _while(found, bounds.begins_behind, bounds.ends_before)
        if bounds.ends_before(first[0]) or bounds.begins_behind(last[0]):
            return iter(())
        found = map(_member, self._index(reverse))
        early, late = bounds.begins_behind, bounds.ends_before
        if reverse:
            early, late = late, early
        return itertools.takewhile(
            lambda each: not late(each[0]), itertools.dropwhile(lambda each: early(each[0]), found)
        )

    def remove_all(self, members: Iterable[Member]) -> int:
        """Remove members that are there, each once, and save the set; return their number."""
        gone = list(members)
        kept = self.count - len(gone)
        if not kept:
            self.db.delete(self.key)
            self.count = 0
        elif len(gone) > max(kept, _REMOVED_ONE_BY_ONE):
            self._leave({member for member, _ in gone})
        else:
            for member, _ in gone:
                self.remove(member)
        if kept and gone:
            self.save()
        return len(gone)

    def _leave(self, gone: set[bytes]) -> None:
        """Take the other members to a new collection; `save` makes garbage of these."""
        kept = [each for each in self.members() if each[0] not in gone]
        self.id = self.db.new_collection()
        self.count = 0
        for member, score in kept:
            self.add(member, score, None)

    def _index(self, reverse: bool) -> Iterator[tuple[bytes, bytes]]:  # noqa: FBT001
        return self.elements.between(self.id, _SECTION, _SECTION_END, reverse=reverse)


class ScoreRange:
    """A range of scores."""

    def __init__(self, low: float, high: float, *, excludes_low: bool, excludes_high: bool) -> None:
        self.low = _place(low, behind=excludes_low)
        self.high = _place(high, behind=not excludes_high)


class LexRange:
    """A range of members."""

    def __init__(
        self, low: bytes | None, high: bytes | None, *, excludes_low: bool, excludes_high: bool, is_empty: bool = False
    ) -> None:
        """Take the bounds; None: none."""
        self.low = low
        self.high = high
        self._excludes_low = excludes_low
        self._excludes_high = excludes_high
        self._is_empty = is_empty

    def begins_behind(self, member: bytes) -> bool:
        """Report whether a member is too small."""
        if self._is_empty:
            return True
        return self.low is not None and (member <= self.low if self._excludes_low else member < self.low)

    def ends_before(self, member: bytes) -> bool:
        """Report whether a member is too large."""
        if self._is_empty:
            return True
        return self.high is not None and (member >= self.high if self._excludes_high else member > self.high)


def _while(
    found: Iterator[Member], is_behind: Callable[[bytes], bool], is_before: Callable[[bytes], bool]
) -> Iterator[Member]:
    """Yield members of a range until one is behind it; long ones with equal beginnings may be in another order."""
    for each in found:
        member = each[0]
        if is_before(member):
            continue
        if not is_behind(member):
            yield each
        elif len(member) <= MAX_WHOLE:
            return
