"""The table of a roll, and a roll under any order of reloads, boots, deaths and failures."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corepool.master.roll import TRANSITIONS, Roll, RollEvent, RollState, step
from corepool.spec.types import ExitCause

SLOTS = 4


@pytest.mark.parametrize(("state", "event"), list(itertools.product(RollState, RollEvent)))
def test_a_step_of_a_roll_is_in_the_table_or_raises(state: RollState, event: RollEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert step(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=str(state)):
            step(state, event)


def test_every_state_is_reached_and_left() -> None:
    assert {state for _, state in TRANSITIONS.items()} == set(RollState)
    for state in RollState:
        assert TRANSITIONS[state, RollEvent.BEGUN] is RollState.ROLLING, "a reload may begin at any time"
        assert TRANSITIONS[state, RollEvent.STOPPED] is RollState.IDLE, "and a pool may end at any time"


def configuration(number: int) -> Any:
    made = SimpleNamespace(number=number, pool=SimpleNamespace(surge=1 + number % 2))
    made.is_like = lambda other: other is made
    return made


class RollMachine(RuleBasedStateMachine):
    """A pool of four slots: workers serve, replacements boot or fail, reloads begin, take effect or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.pid = 0
        first = configuration(0)
        self.roll = Roll(first, 0)
        self.serves: dict[int, Any] = dict.fromkeys(range(SLOTS), first)
        """The configuration of the worker in each slot."""
        self.booting: dict[int, tuple[int, Any]] = {}
        """The pid and configuration of each replacement."""

    def start_due(self) -> None:
        while (slot := self.roll.replacements.due()) is not None:
            self.pid += 1
            assert slot not in self.booting
            self.booting[slot] = self.pid, self.roll.newest
            self.roll.replacements.started(slot, self.pid)

    def forget(self, pids: list[int]) -> None:
        self.booting = {slot: each for slot, each in self.booting.items() if each[0] not in pids}

    def settle(self) -> None:
        self.roll.clear(self.serves.values())
        self.start_due()

    @rule()
    def a_reload_begins(self) -> None:
        self.made += 1
        self.forget(self.roll.begin(self.made, configuration(self.made), self.serves))
        assert not self.booting
        assert self.roll.left(SLOTS) == SLOTS
        self.start_due()

    @rule(slot=st.integers(0, SLOTS - 1))
    def a_worker_is_recycled(self, slot: int) -> None:
        was_replaced = self.roll.replacements.replaces(slot)
        assert self.roll.replacements.want(slot, ExitCause.RECYCLED) is not was_replaced
        self.start_due()

    @precondition(lambda self: self.booting)
    @rule(data=st.data())
    def a_replacement_is_ready(self, data: st.DataObject) -> None:
        self.becomes_ready(data.draw(st.sampled_from(sorted(self.booting))))

    def becomes_ready(self, slot: int) -> None:
        pid, its = self.booting.pop(slot)
        assert self.roll.replacements.ended(slot, pid) is not None
        self.serves[slot] = its
        self.roll.booted(slot, its)
        was_rolling = self.roll.is_rolling
        completed = self.roll.complete(SLOTS)
        assert completed == (was_rolling and all(each is self.roll.coming for each in self.serves.values()))
        assert not self.roll.complete(SLOTS), "once"
        self.settle()

    @precondition(lambda self: self.booting)
    @rule(data=st.data())
    def a_replacement_fails(self, data: st.DataObject) -> None:
        self.fails(data.draw(st.sampled_from(sorted(self.booting))))

    def fails(self, slot: int) -> None:
        pid, _ = self.booting.pop(slot)
        cause = self.roll.replacements.ended(slot, pid)
        if cause is ExitCause.REPLACED and self.roll.is_rolling:
            self.a_reload_fails()
        elif self.roll.is_abandoned(self.serves[slot]):
            self.roll.replacements.want(slot, ExitCause.REPLACED)  # as `Upkeep` does, later
        self.settle()

    @rule()
    def a_reload_fails(self) -> None:
        if self.roll.state is RollState.IDLE and self.roll.coming is None:
            assert self.roll.abandon() == []
            return
        self.forget(self.roll.abandon())
        for slot, (pid, its) in list(self.booting.items()):
            if self.roll.is_abandoned(its):  # it has begun in the place of a recycled one
                self.roll.replacements.ended(slot, pid)
                del self.booting[slot]
        for slot, its in self.serves.items():
            if self.roll.is_abandoned(its):
                self.roll.replacements.want(slot, ExitCause.REPLACED)
        self.settle()

    @precondition(lambda self: self.roll.state is RollState.COMMITTING)
    @rule()
    def the_reload_takes_effect(self) -> None:
        new = self.roll.coming
        assert new is not None
        old = self.roll.serving
        assert self.roll.commit(new) is old
        assert all(its is new for its in self.serves.values())
        self.settle()

    @rule()
    def the_pool_stops_rolling(self) -> None:
        if self.roll.state is RollState.IDLE:
            self.roll.stop()

    @invariant()
    def the_state_agrees_with_what_there_is(self) -> None:
        roll = self.roll
        assert (roll.coming is not None) == (roll.state in (RollState.ROLLING, RollState.COMMITTING))
        assert roll.newest is (roll.coming or roll.serving)
        assert len(self.booting) <= max(1, roll.replacements.surge), "no more replacements than may start at once"
        if roll.state is RollState.IDLE:
            assert {each.number for each in self.serves.values()} == {roll.serving.number}
        if roll.state is RollState.COMMITTING:
            assert roll.left(SLOTS) == 0
        if roll.state is RollState.ABANDONING:
            for slot, its in self.serves.items():
                assert its is roll.serving or roll.replacements.replaces(slot), "it is replaced once more"


TestRoll = RollMachine.TestCase
TestRoll.settings = settings(deadline=None, max_examples=100)


def test_a_replacement_of_a_recycled_worker_that_has_the_failed_configuration_is_abandoned_too() -> None:
    machine = RollMachine()
    for _ in range(3):
        machine.a_reload_begins()
    for slot in (0, 1, 2):
        machine.becomes_ready(slot)
    machine.a_worker_is_recycled(0)
    assert set(machine.booting) == {0, 3}
    machine.fails(3)
    machine.the_state_agrees_with_what_there_is()
    while machine.booting:
        machine.becomes_ready(min(machine.booting))
        machine.the_state_agrees_with_what_there_is()
    assert machine.roll.state is RollState.IDLE
