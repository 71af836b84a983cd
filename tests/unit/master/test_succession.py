"""The order of replacements: the pure part of reloads and of recycling."""

from __future__ import annotations

from corepool.master.succession import Succession
from corepool.spec.types import ExitCause

REPLACED, RECYCLED = ExitCause.REPLACED, ExitCause.RECYCLED


def test_no_more_replacements_start_than_may() -> None:
    succession = Succession(surge=2)
    for slot in range(4):
        assert succession.want(slot, REPLACED)
    assert not succession.want(1, RECYCLED), "it is being replaced already"
    begun = []
    while (slot := succession.due()) is not None:
        succession.started(slot, 100 + slot)
        begun.append(slot)
    assert begun == [0, 1]
    assert succession.ended(0, 7) is None, "another process in that slot"
    assert succession.ended(0, 100) is REPLACED
    assert succession.ended(0, 100) is None
    assert succession.due() == 2


def test_a_slot_that_needs_no_replacement_keeps_no_other_waiting() -> None:
    succession = Succession(surge=1)
    for slot in range(3):
        succession.want(slot, REPLACED)
    while (slot := succession.due()) is not None:
        if slot == 2:
            succession.started(slot, 100)
        else:
            assert succession.drop(slot) is REPLACED
    assert succession.ended(2, 100) is REPLACED


def test_an_abandoned_roll_is_forgotten() -> None:
    succession = Succession(surge=1)
    succession.want(0, REPLACED)
    succession.started(0, 100)
    succession.want(1, REPLACED)
    succession.want(2, RECYCLED)
    assert succession.abandon({REPLACED}) == [100]
    assert succession.ended(0, 100) is None
    assert succession.due() == 2
