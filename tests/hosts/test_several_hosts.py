"""docs/howto/several-hosts.md on three hosts: namespaces with a pool each, HAProxy in front, visitors outside.

Times are printed, not asserted: `pytest tests/hosts -rP` shows it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from figures import tell
from fleet import Fleet
from hosts import why_no_hosts

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(why_no_hosts() is not None, reason=why_no_hosts() or "")

VISITORS = 20


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as made:
        made.serve()
        yield made


def test_the_application_sees_the_client_and_not_the_balancer(fleet: Fleet) -> None:
    assert fleet.outside.run("curl", "-s", "http://10.0.0.2/client") == fleet.outside.address()


def test_every_host_serves(fleet: Fleet) -> None:
    with fleet.visitors() as visitors:
        for name in fleet.hosts:
            visitors.wait_for(1, lambda request, name=name: request.body == name)  # type: ignore[misc]
    assert not [each for each in visitors.requests if each.failed]


def test_a_host_that_is_stopped_fails_no_request(fleet: Fleet) -> None:
    with fleet.visitors() as visitors, fleet.visitors("/wait/0.5") as slow:
        visitors.wait_for(200)
        slow.wait_for(20)
        event = time.monotonic()
        order = [sys.executable, "-m", "corepool", "stop", "--control", str(fleet.pools["one"].control)]
        subprocess.run(order, check=True, capture_output=True)  # noqa: S603
        assert fleet.pools["one"].wait() == 0
        wait_until(lambda: "one" not in fleet.up(), what="HAProxy has seen that the host is gone")
        visitors.wait_for(200)
        fleet.start_pool("one")
        wait_until(lambda: "one" in fleet.up(), what="HAProxy has taken the host back")
        visitors.wait_for(1, lambda request: request.body == "one")
    tell("`corepool stop` on a host, and a start", visitors.requests, event)

    assert [each for each in visitors.requests if each.failed] == []
    assert [each for each in slow.requests if each.failed] == []


@pytest.mark.parametrize("order", ["reload", "upgrade"])
def test_a_host_with_new_code_fails_no_request(fleet: Fleet, order: str) -> None:
    with fleet.visitors() as visitors:
        visitors.wait_for(200)
        event = time.monotonic()
        for pool in fleet.pools.values():
            command = [sys.executable, "-m", "corepool", order, "--control", str(pool.control)]
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        visitors.wait_for(200)
    tell(f"`corepool {order}` on each host", visitors.requests, event)

    assert [each for each in visitors.requests if each.failed] == []


def test_a_host_without_power_fails_only_requests_that_it_had(fleet: Fleet) -> None:
    with fleet.visitors(visitors=VISITORS) as visitors:
        visitors.wait_for(200)
        event = time.monotonic()
        fleet.hosts["one"].power_off()
        wait_until(lambda: "one" not in fleet.up(), what="HAProxy has seen that the host is gone")
        seen = time.monotonic()
        visitors.wait_for(200)
    tell("a host has no power", visitors.requests, event)

    failed = [each for each in visitors.requests if each.failed]
    assert all(each.at < seen for each in failed), "no request fails that begins after the host is known to be gone"
    assert len(failed) <= VISITORS, "each of them had one request under way"
    assert {each.body for each in visitors.requests if each.at > seen} == {"two", "three"}


def test_a_reload_of_haproxy_fails_no_request(fleet: Fleet) -> None:
    with fleet.visitors() as visitors:
        visitors.wait_for(200)
        event = time.monotonic()
        # `nsenter` has become HAProxy's master, which reads its file again.
        os.kill(fleet.haproxy.pid, signal.SIGUSR2)
        wait_until(lambda: fleet.haproxy_starts() == 2, what="HAProxy has reloaded")
        visitors.wait_for(200)
    tell("HAProxy reloads", visitors.requests, event)

    assert [each for each in visitors.requests if each.failed] == []


def test_a_slow_host_is_given_fewer_requests(fleet: Fleet) -> None:
    with fleet.visitors() as visitors:
        visitors.wait_for(300)
        event = time.monotonic()
        fleet.hosts["one"].slow_down("64kbit")
        visitors.wait_for(500)
        fleet.hosts["one"].slow_down("")
        over = time.monotonic()
        visitors.wait_for(200)
    tell("a host's network is slow (64 kbit/s)", visitors.requests, event, over=over)

    later = [each for each in visitors.requests if event < each.at < over]
    share = sum(each.body == "one" for each in later) / len(later)
    assert share < 1 / 3, "leastconn: it answers more slowly, so it has more connections"
