"""Several pools under any order of reloads, boots, failures, crashes and refused forks.

Every worker comes to the configuration in effect, and the state of the reload agrees with that of each pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from played_processes import World, configuration

from corepool.master.roll import RollState
from corepool.master.states import State

if TYPE_CHECKING:
    from corepool.master.worker_pool import WorkerPool
    from corepool.master.workers import WorkerEntry
    from corepool.plugins.listener import Configuration

NAMES = ("a", "b", "c")

POOLS = st.builds(
    configuration,
    st.sampled_from(NAMES),
    workers=st.integers(1, 3),
    version=st.integers(0, 2),
    surge=st.integers(1, 3),
    max_unavailable=st.integers(0, 1),
)
FILES = st.lists(POOLS, min_size=1, unique_by=lambda each: each.name)
PICKS = st.integers(0, 11)


class ReloadsMachine(RuleBasedStateMachine):
    """A master with up to three pools; the workers do as the rules say."""

    world: World

    @initialize(written=FILES)
    def a_master_starts(self, written: list[Configuration]) -> None:
        self.world = World(written)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.everything_comes_to_an_end()
            self.world.close()

    def pick(self, number: int, *states: State) -> tuple[WorkerPool, WorkerEntry] | None:
        found = self.world.in_state(*states)
        return found[number % len(found)] if found else None

    @rule(written=FILES)
    def a_reload_begins(self, written: list[Configuration]) -> None:
        self.world.begin_reload(written)

    @rule(boots=st.lists(st.booleans(), min_size=1, max_size=6))
    def workers_boot_or_fail(self, boots: list[bool]) -> None:
        for boots_well in boots:
            if picked := self.pick(0, State.STARTING):
                (self.world.boot if boots_well else self.world.fail_to_boot)(*picked)

    @rule(written=FILES, boots=st.integers(1, 3), failures=st.integers(1, 4))
    def a_reload_fails_halfway(self, written: list[Configuration], boots: int, failures: int) -> None:
        """So that it is met often: the replacements of the workers that it has brought fail as well."""
        self.world.begin_reload(written)
        self.workers_boot_or_fail([True] * boots + [False] * failures)

    @rule(number=PICKS)
    def a_worker_crashes(self, number: int) -> None:
        if picked := self.pick(number, State.READY):
            self.world.end(*picked, code=-11)

    @rule(number=PICKS)
    def a_worker_says_that_it_is_of_no_use(self, number: int) -> None:
        if picked := self.pick(number, State.READY):
            self.world.fail(*picked)

    @rule(number=PICKS)
    def a_worker_has_left(self, number: int) -> None:
        if picked := self.pick(number, State.DRAINING, State.STOPPING):
            self.world.end(*picked)

    @rule(number=st.integers(1, 3))
    def forks_are_refused(self, number: int) -> None:
        self.world.forks_to_refuse = number

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule(name=st.sampled_from(NAMES), workers=st.integers(1, 3))
    def an_operator_scales(self, name: str, workers: int) -> None:
        if name in self.world.pools.serving:
            self.world.pools.serving[name].scale(workers)

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def everything_comes_to_an_end(self) -> None:
        world = self.world
        world.forks_to_refuse = 0
        world.settle()
        assert not world.reload.is_running
        assert list(world.pools) == list(world.pools.serving.values()), "no pool is left over"
        for pool in world.pools.serving.values():
            serves = [entry.configuration for entry in pool.workers.ready()]
            assert len(pool.workers) == len(serves) == pool.workers.target
            assert all(each.is_like(pool.serving) for each in serves)

    @invariant()
    def the_reload_agrees_with_the_pools(self) -> None:
        if not hasattr(self, "world"):
            return
        world, status = self.world, self.world.reload.status()
        coming = {each.name for each in world.written} if world.reload.is_running else set()
        for name, pool in world.pools.serving.items():
            rolls = pool.rolling.state in (RollState.ROLLING, RollState.COMMITTING)
            assert rolls == (name in coming)
            assert 0 <= pool.rolling.kept <= len(pool.workers.ready())
        assert set(world.pools.arriving) == coming - set(world.pools.serving)
        assert (status["state"] == "running") == world.reload.is_running
        assert (status["left"] > 0) <= world.reload.is_running
        if status["state"] == "done":
            assert status["failure"] is None


TestReloads = ReloadsMachine.TestCase
TestReloads.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
