"""Is there one order of all operations that explains every reply, and in which none comes before one that had
ended when it began? (Herlihy and Wing 1990; the search is Wing and Gong's, remembering where it has been.)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Apply: TypeAlias = Callable[[Any], tuple[Hashable, object]]
"""Return the next state, and the reply to an operation on a state."""


class Operation(NamedTuple):
    """One operation, and when it was seen to begin and to end."""

    began_s: float
    ended_s: float
    apply: Apply
    seen: object
    """The reply."""


def of_register(began_s: float, ended_s: float, written: str | None, seen: str | None) -> Operation:
    """Return an operation on a register that begins empty.

    :param written: the value that replaces the one `seen`; None: a read.
    """
    return Operation(began_s, ended_s, lambda value: (value if written is None else written, value), seen)


def is_linearizable(history: Sequence[Operation], begin: Hashable = None) -> bool:
    """Return whether an object can have answered so.

    :param begin: its first state.
    """
    operations = sorted(history, key=lambda operation: (operation.began_s, operation.ended_s))
    visited: set[tuple[int, frozenset[int], Hashable]] = set()
    # The operations done: all before the first number, and those of the set.
    pending: list[tuple[int, frozenset[int], Hashable]] = [(0, frozenset(), begin)]
    while pending:
        position = pending.pop()
        if position in visited:
            continue
        visited.add(position)
        first, done, state = position
        if first == len(operations):
            return True
        must_begin_before = min(
            operation.ended_s for number, operation in enumerate(operations[first:], first) if number not in done
        )
        for number in range(first, len(operations)):
            operation = operations[number]
            if operation.began_s > must_begin_before:
                break
            if number in done:
                continue
            following, reply = operation.apply(state)
            if reply != operation.seen:
                continue
            after = done | {number}
            next_first = first
            while next_first in after:
                after -= {next_first}
                next_first += 1
            pending.append((next_first, after, following))
    return False
