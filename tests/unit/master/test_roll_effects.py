"""What each step of a roll changes beside its state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from corepool.master.roll import Roll, RollState


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
