"""Is there one order of all operations that explains every reply, and in which none comes before one that had
ended when it began? (Herlihy and Wing 1990; the search is Wing and Gong's, remembering where it has been.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Operation(NamedTuple):
    """One operation on a register, and when it was seen to begin and to end."""

    began_s: float
    ended_s: float
    written: str | None
    """None: a read."""
    seen: str | None
    """The value that a read returned, or that a write replaced."""


def is_linearizable(history: Sequence[Operation]) -> bool:
    """Return whether a register that begins empty can have answered so."""
    operations = sorted(history)
    visited: set[tuple[int, frozenset[int], str | None]] = set()
    # The operations done: all before the first number, and those of the set.
    pending: list[tuple[int, frozenset[int], str | None]] = [(0, frozenset(), None)]
    while pending:
        state = pending.pop()
        if state in visited:
            continue
        visited.add(state)
        first, done, value = state
        if first == len(operations):
            return True
        must_begin_before = min(
            operation.ended_s for number, operation in enumerate(operations[first:], first) if number not in done
        )
        for number in range(first, len(operations)):
            operation = operations[number]
            if operation.began_s > must_begin_before:
                break
            if number in done or operation.seen != value:
                continue
            after = done | {number}
            begin = first
            while begin in after:
                after -= {begin}
                begin += 1
            pending.append((begin, after, value if operation.written is None else operation.written))
    return False
