"""Reloads that fail, one after another and in several pools: each worker comes back to the configuration in effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from played_processes import World, configuration, versions

from corepool.master.states import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.plugins.listener import Configuration


@pytest.fixture
def begin() -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def begin(*written: Configuration) -> World:
        worlds.append(World(written))
        return worlds[-1]

    yield begin
    for world in worlds:
        world.close()


def starting(world: World, name: str) -> list[int]:
    return [entry.slot for pool, entry in world.in_state(State.STARTING) if pool.name == name]


def boot_next(world: World, name: str) -> None:
    pool, entry = next(each for each in world.in_state(State.STARTING) if each[0].name == name)
    world.boot(pool, entry)


def fail_next(world: World, name: str) -> None:
    pool, entry = next(each for each in world.in_state(State.STARTING) if each[0].name == name)
    world.fail_to_boot(pool, entry)


def test_a_pool_that_a_reload_takes_away_stops_rolling_for_the_one_before(begin: Callable[..., World]) -> None:
    world = begin(configuration("a"), configuration("b"))
    a, b = world.pools.serving.values()
    world.begin_reload([configuration("a", version=1), configuration("b", version=1)])
    assert starting(world, "b") == [0]
    world.begin_reload([configuration("a", version=2)])
    world.boot_all()
    assert versions(a) == [2, 2]
    assert world.reload.status()["state"] == "done"
    assert list(world.pools) == [a]
    assert len(b.workers) == 0


def test_a_failure_of_a_pool_that_a_reload_takes_away_is_not_the_reloads(begin: Callable[..., World]) -> None:
    world = begin(configuration("a"), configuration("b"))
    a, b = world.pools.serving.values()
    world.begin_reload([configuration("a", version=1), configuration("b", version=1)])
    world.begin_reload([configuration("a", version=2)])
    for pool, entry in world.in_state(State.STARTING):
        if pool is b:
            world.fail_to_boot(pool, entry)
    assert world.reload.status()["state"] == "running"
    world.settle()
    assert world.reload.status()["state"] == "done"
    assert versions(a) == [2, 2]


def test_a_pool_that_a_failed_reload_would_take_away_serves_as_before_both(begin: Callable[..., World]) -> None:
    world = begin(configuration("a"), configuration("b"))
    a, b = world.pools.serving.values()
    world.begin_reload([configuration("a", version=1), configuration("b", version=1)])
    boot_next(world, "b")
    assert versions(b) == [1, 0]
    world.begin_reload([configuration("a", version=2)])
    fail_next(world, "a")
    world.settle()
    assert world.reload.status()["state"] == "failed"
    assert (versions(a), versions(b)) == ([0, 0], [0, 0])


@pytest.mark.parametrize("is_overtaken", [True, False], ids=["overtaken", "failed"])
def test_two_unlike_reloads_that_fail_leave_no_worker_of_either(
    begin: Callable[..., World],
    is_overtaken: bool,  # noqa: FBT001
) -> None:
    world = begin(configuration("a", workers=3))
    (a,) = world.pools.serving.values()
    world.begin_reload([configuration("a", workers=3, version=1)])
    boot_next(world, "a")
    assert versions(a) == [1, 0, 0]
    if not is_overtaken:
        fail_next(world, "a")
    world.begin_reload([configuration("a", workers=3, version=2)])
    fail_next(world, "a")
    world.boot_all()
    assert versions(a) == [0, 0, 0]


def test_a_fork_that_fails_leaves_no_worker_of_a_failed_reload(begin: Callable[..., World]) -> None:
    world = begin(configuration("a", workers=3, surge=3), configuration("b"))
    a, b = world.pools.serving.values()
    world.begin_reload([configuration("a", workers=3, surge=3, version=1), configuration("b", version=1)])
    for _ in range(3):
        boot_next(world, "a")
    for each in world.in_state(State.DRAINING):
        world.end(*each)  # or its end would have the forks tried again
    assert versions(a) == [1, 1, 1]
    world.forks_to_refuse = 1
    fail_next(world, "b")
    world.boot_all()
    assert versions(a) == [1, 0, 0], "the forks for the other slots are not given up"
    world.settle()
    assert (versions(a), versions(b)) == ([0, 0, 0], [0, 0]), "and the one that was refused is tried again"


def test_a_worker_that_cannot_come_back_at_once_comes_back_later(begin: Callable[..., World]) -> None:
    world = begin(configuration("a"))
    (a,) = world.pools.serving.values()
    world.begin_reload([configuration("a", version=1)])
    boot_next(world, "a")
    fail_next(world, "a")
    fail_next(world, "a")
    assert versions(a) == [1, 0]
    world.settle()
    assert versions(a) == [0, 0]


def test_a_pool_that_waits_for_the_others_ends_the_reload_when_it_fails(begin: Callable[..., World]) -> None:
    world = begin(configuration("a"), configuration("b"))
    a, b = world.pools.serving.values()
    world.begin_reload([configuration("a", version=1), configuration("b", version=1)])
    for _ in range(2):
        boot_next(world, "a")
    assert versions(a) == [1, 1]
    world.end(a, a.workers.ready()[0], -9)
    world.pass_time(60.0)
    fail_next(world, "a")
    assert world.reload.status()["state"] == "failed"
    world.settle()
    assert (versions(a), versions(b)) == ([0, 0], [0, 0])
