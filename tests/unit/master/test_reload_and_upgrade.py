"""The tables of a reload and of an upgrade, and the memory of reloads that have failed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corepool.logs.tracebacks import last_words, spelled_place
from corepool.master import reload, upgrade
from corepool.master.reload import Reload, ReloadEvent, ReloadFailure, ReloadState
from corepool.master.upgrade import Upgrade, UpgradeEvent, UpgradeState


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ReloadState, ReloadEvent)))
def test_a_step_of_a_reload_is_in_the_table_or_raises(state: ReloadState, event: ReloadEvent) -> None:
    if (state, event) in reload.TRANSITIONS:
        assert reload.step(state, event) is reload.TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=str(state)):
            reload.step(state, event)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(UpgradeState, UpgradeEvent)))
def test_a_step_of_an_upgrade_is_in_the_table_or_raises(state: UpgradeState, event: UpgradeEvent) -> None:
    if (state, event) in upgrade.TRANSITIONS:
        assert upgrade.step(state, event) is upgrade.TRANSITIONS[state, event]
    else:
        with pytest.raises(RuntimeError, match=str(state)):
            upgrade.step(state, event)


def test_a_reload_may_begin_at_any_time_and_an_upgrade_only_while_none_runs_or_is_done() -> None:
    assert all(reload.step(state, ReloadEvent.BEGUN) is ReloadState.RUNNING for state in ReloadState)
    begins = {state for state, event in upgrade.TRANSITIONS if event is UpgradeEvent.BEGUN}
    assert begins == {UpgradeState.NONE, UpgradeState.FAILED}


class ReloadMachine(RuleBasedStateMachine):
    """Reloads begin, succeed, fail, can't be read, and the master is replaced."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1.0
        self.reload = Reload(self.now)
        self.done_at = self.now
        self.begun_at = 0.0
        self.failed_at: list[float] = []
        """When reloads have failed that no later one has made good."""

    def failure(self) -> ReloadFailure:
        self.now += 1
        self.failed_at.append(self.now)
        return ReloadFailure(self.now, f"at {self.now}", "app.py", 3, 2)

    @rule()
    def one_begins(self) -> None:
        self.now += 1
        self.begun_at = self.now
        generation = self.reload.generation
        self.reload.begin({"a": self.coming()})
        assert self.reload.generation == generation + 1
        assert self.reload.error == ""

    def coming(self) -> Any:
        return object()

    @rule()
    def the_configuration_cannot_be_read(self) -> None:
        was_running, generation = self.reload.is_running, self.reload.generation
        self.reload.unreadable(self.failure(), "mistakes")
        assert (self.reload.is_running, self.reload.generation) == (was_running, generation)

    @precondition(lambda self: self.reload.is_running)
    @rule()
    def it_succeeds(self) -> None:
        self.now += 1
        coming = self.reload.coming
        assert self.reload.done(self.now) is coming
        self.done_at = self.now
        self.failed_at = [at for at in self.failed_at if at > self.begun_at]

    @precondition(lambda self: self.reload.is_running)
    @rule()
    def it_fails(self) -> None:
        coming = self.reload.coming
        assert self.reload.fail(self.failure(), "no module") is coming
        assert self.reload.error == "no module"

    @invariant()
    def the_last_failure_is_known_until_one_that_began_later_succeeds(self) -> None:
        failure = self.reload.failure
        assert (failure and failure.at) == (self.failed_at[-1] if self.failed_at else None)
        assert self.reload.done_at == self.done_at
        assert bool(self.reload.coming) == self.reload.is_running
        assert not (self.reload.state is ReloadState.FAILED and failure is None)


TestReload = ReloadMachine.TestCase
TestReload.settings = settings(deadline=None)


class UpgradeMachine(RuleBasedStateMachine):
    """Upgrades begin, fail, and at last one is done."""

    def __init__(self) -> None:
        super().__init__()
        self.upgrade = Upgrade()

    @precondition(lambda self: not self.upgrade.is_running and self.upgrade.state is not UpgradeState.DONE)
    @rule(pid=st.integers(1, 1000))
    def one_begins(self, pid: int) -> None:
        self.upgrade.begin(pid)
        assert self.upgrade.status() == {"state": "running", "pid": pid, "error": ""}

    @precondition(lambda self: self.upgrade.is_running)
    @rule()
    def it_fails(self) -> None:
        self.upgrade.fail("it ended")
        assert self.upgrade.status()["error"] == "it ended"

    @precondition(lambda self: self.upgrade.is_running)
    @rule()
    def it_is_done(self) -> None:
        self.upgrade.done()

    @precondition(lambda self: self.upgrade.state is UpgradeState.DONE)
    @rule()
    def the_new_master_has_an_upgrade_of_its_own(self) -> None:
        self.upgrade = Upgrade()

    @invariant()
    def an_error_is_that_of_a_failed_one(self) -> None:
        assert (self.upgrade.error != "") == (self.upgrade.state is UpgradeState.FAILED)


TestUpgrade = UpgradeMachine.TestCase
TestUpgrade.settings = settings(deadline=None)


TRACEBACK = """Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    import settings
  File "/srv/settings.py", line 12, in <module>
    1 // 0
    ~~^^~~
ZeroDivisionError: integer division by zero
see the manual"""


@pytest.mark.parametrize(
    ("report", "words", "place"),
    [
        (TRACEBACK, "ZeroDivisionError: integer division by zero", ("/srv/settings.py", 12)),
        ('  File "/srv/app.py", line 1\n    def\n       ^\nSyntaxError: bad', "SyntaxError: bad", ("/srv/app.py", 1)),
        (
            "no attribute app (badly.py:29, in __init__)",
            "no attribute app (badly.py:29, in __init__)",
            ("badly.py", 29),
        ),
        ("it ended with SIGKILL (crash) before it was ready",) * 2 + (("", 0),),
        ("", "", ("", 0)),
        ('Traceback:\n  File "a.py", line 2', '  File "a.py", line 2', ("a.py", 2)),
    ],
)
def test_the_exception_and_its_place_are_found_in_a_report(report: str, words: str, place: tuple[str, int]) -> None:
    assert (last_words(report), spelled_place(report)) == (words, place)
