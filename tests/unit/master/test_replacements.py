"""The order of replacements: the pure part of reloads and of recycling."""

from __future__ import annotations

from corepool.master.replacements import Replacements
from corepool.spec.types import ExitCause

REPLACED, RECYCLED = ExitCause.REPLACED, ExitCause.RECYCLED


def test_no_more_replacements_start_than_may() -> None:
    replacements = Replacements(surge=2)
    for slot in range(4):
        assert replacements.want(slot, REPLACED)
    assert not replacements.want(1, RECYCLED), "it is being replaced already"
    begun = []
    while (slot := replacements.due()) is not None:
        replacements.started(slot, 100 + slot)
        begun.append(slot)
    assert begun == [0, 1]
    assert replacements.ended(0, 7) is None, "another process in that slot"
    assert replacements.ended(0, 100) is REPLACED
    assert replacements.ended(0, 100) is None
    assert replacements.due() == 2


def test_a_slot_that_needs_no_replacement_keeps_no_other_waiting() -> None:
    replacements = Replacements(surge=1)
    for slot in range(3):
        replacements.want(slot, REPLACED)
    while (slot := replacements.due()) is not None:
        if slot == 2:
            replacements.started(slot, 100)
        else:
            assert replacements.drop(slot) is REPLACED
    assert replacements.ended(2, 100) is REPLACED


def test_what_is_abandoned_is_forgotten() -> None:
    replacements = Replacements(surge=1)
    replacements.want(0, REPLACED)
    replacements.started(0, 100)
    replacements.want(1, REPLACED)
    replacements.want(2, RECYCLED)
    assert replacements.abandon({REPLACED}) == [100]
    assert replacements.ended(0, 100) is None
    assert replacements.due() == 2
