"""What each step of a roll changes beside its state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from corepool.master.roll import Roll, RollState
from corepool.master.rolling import Rolling
from corepool.master.states import State
from corepool.spec.types import ExitCause


def configuration(surge: int) -> Any:
    made = SimpleNamespace(pool=SimpleNamespace(surge=surge))
    made.is_like = lambda other: other is made
    return made


OLD, NEW = configuration(1), configuration(3)


def begun() -> Roll:
    roll = Roll(OLD, 0)
    roll.begin(1, NEW, [0, 1])
    return roll


def test_replacements_are_forked_as_fast_as_the_configuration_says_that_is_led_to() -> None:
    roll = begun()
    assert roll.replacements.surge == 3
    roll.abandon()
    assert roll.replacements.surge == 1, "back to the old one"


def test_an_abandoned_roll_is_over_when_no_worker_of_it_is_left() -> None:
    roll = begun()
    assert not roll.clear([OLD, OLD]), "it rolls"
    roll.abandon()
    assert not roll.clear([OLD, NEW])
    assert roll.state is RollState.ABANDONING
    assert roll.clear([OLD, OLD])
    assert roll.state is RollState.IDLE
    assert not roll.clear([OLD, OLD]), "once"


def test_a_pool_that_stops_rolls_no_more() -> None:
    roll = begun()
    roll.stop()
    assert roll.state is RollState.IDLE
    assert not roll.is_rolling


def test_a_roll_that_fails_frees_the_slot_of_a_replacement_that_boots_for_a_recycled_worker() -> None:
    roll = begun()
    entries = []
    for slot, pid in ((0, 10), (1, 11)):
        roll.replacements.started(slot, pid)
        roll.replacements.ended(slot, pid)
        roll.booted(slot, NEW)
        entries.append(SimpleNamespace(slot=slot, pid=pid, configuration=NEW, state=State.READY))
    roll.replacements.want(0, ExitCause.RECYCLED)
    roll.replacements.started(0, 12)
    entries.append(SimpleNamespace(slot=0, pid=12, configuration=NEW, state=State.STARTING))
    retired: list[int] = []
    nothing: Any = SimpleNamespace(
        is_over=False, start_replacements=lambda: None, stop_unused=lambda: None, mix=lambda **_: None
    )
    workers: Any = entries

    Rolling(roll, workers, nothing, nothing, nothing, lambda entry, _: retired.append(entry.pid)).abandon()

    assert retired == [12]
    assert roll.state is RollState.ABANDONING
    due = []
    while (slot := roll.replacements.due()) is not None:
        due.append(slot)
        assert roll.replacements.started(slot, 20 + slot) is ExitCause.REPLACED
        roll.replacements.ended(slot, 20 + slot)
    assert due == [0, 1], "both serve the failed configuration"
