"""Hosts whose application writes to a cluster of Redis: a primary is killed, a host is cut off, a host has no power.

Redis acknowledges a write before a replica has it (its specification, "Write safety"): a failover may lose the last
ones. Their number is printed, as the times are: `pytest tests/hosts -rP`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from figures import tell
from fleet import Fleet, Request, Visitors
from hosts import BACK, why_no_hosts
from redis_cluster import PRIMARY, REPLICA, RedisCluster

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(why_no_hosts() is not None, reason=why_no_hosts() or "")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as made:
        yield made


@pytest.fixture
def cluster(fleet: Fleet) -> RedisCluster:
    made = RedisCluster(fleet.folder, fleet.hosts)
    fleet.environment["SHOP_CLUSTER"] = made.nodes
    fleet.serve()
    return made


def lost(visitors: Visitors, cluster: RedisCluster, fleet: Fleet) -> list[Request]:
    """Return the writes that were acknowledged, and that no server has."""
    written = {each.path.rpartition("/")[2]: each for each in visitors.requests if not each.failed}
    return [written[key] for key in cluster.missing(written, fleet.outside)]


def test_writes_go_on_after_a_primary_was_killed(fleet: Fleet, cluster: RedisCluster) -> None:
    with fleet.visitors("/write") as visitors:
        visitors.wait_for(200)
        warm = time.monotonic()
        visitors.wait_for(200)
        event = time.monotonic()
        cluster.kill("one", PRIMARY)
        wait_until(lambda: cluster.role("two", REPLICA) == "master" or cluster.role("three", REPLICA) == "master")
        wait_until(lambda: cluster.is_served("two"), what="the cluster has failed over")
        visitors.wait_for(200)
    gone = lost(visitors, cluster, fleet)
    tell("a Redis primary is killed: writes", visitors.requests, event, warm=warm, lost=len(gone))

    assert all(each.at < event for each in gone), "the replica had not heard of them when its primary ended"
    recent = sorted(visitors.requests, key=lambda each: each.at)[-60:]
    assert not [each for each in recent if each.failed], "and then all is well"


def test_a_host_that_is_cut_off_from_the_others_harms_nobody_else(fleet: Fleet, cluster: RedisCluster) -> None:
    with fleet.visitors("/write") as visitors, fleet.visitors("/client") as readers:
        visitors.wait_for(200)
        warm = time.monotonic()
        visitors.wait_for(200)
        event = time.monotonic()
        fleet.hosts["one"].unplug(BACK)
        wait_until(lambda: cluster.role("two", REPLICA) == "master" or cluster.role("three", REPLICA) == "master")
        wait_until(lambda: cluster.is_served("two"), what="the cluster has failed over")
        over = time.monotonic()
        readers.wait_for(200)
        visitors.wait_for(100, lambda each: each.body in {"two", "three"})
        fleet.hosts["one"].plug_in(BACK)
        wait_until(lambda: cluster.role("one", PRIMARY) == "slave", what="the old primary has come back as a replica")
        visitors.wait_for(50, lambda each: each.body == "one")
        back = time.monotonic()
        visitors.wait_for(200)
        readers.wait_for(200)
    gone = lost(visitors, cluster, fleet)
    tell(
        "a host is cut off from the others, and back: writes",
        visitors.requests,
        event,
        warm=warm,
        over=back,
        lost=len(gone),
    )
    tell("the same: pages without the cluster", readers.requests, event, warm=warm, over=back)

    assert all(each.at < over for each in gone), "the old primary stopped taking writes"
    assert not [each for each in readers.requests if each.failed], "pages that need no cluster are served"


def test_a_host_without_power_takes_its_shard_along_for_a_moment(fleet: Fleet, cluster: RedisCluster) -> None:
    with fleet.visitors("/write") as visitors:
        visitors.wait_for(200)
        warm = time.monotonic()
        visitors.wait_for(200)
        event = time.monotonic()
        fleet.hosts["one"].power_off()
        wait_until(lambda: "one" not in fleet.up(), what="HAProxy has seen that the host is gone")
        wait_until(lambda: cluster.is_served("two"), what="the cluster has failed over")
        visitors.wait_for(200)
    gone = lost(visitors, cluster, fleet)
    tell("a host has no power, nor its Redis: writes", visitors.requests, event, warm=warm, lost=len(gone))

    assert all(each.at < event for each in gone), "the replica had not heard of them when its primary ended"
    recent = sorted(visitors.requests, key=lambda each: each.at)[-60:]
    assert not [each for each in recent if each.failed], "and then all is well"
