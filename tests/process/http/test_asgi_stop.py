"""ASGI at a worker's end: requests under way have their time, and one that refuses to end does not keep its worker."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from http_client import get, http_toml, request
from sources import source

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

APPLICATION = source("served/stopping.py")


def start(pool: Pools, *, stop: str = "10s", drain: str = "30s", **environment: str) -> PoolProcess:
    limits = f'[pool]\nstop_timeout = "{stop}"\ndrain_timeout = "{drain}"'
    toml = http_toml(target="application:app").replace("[pool]", limits)
    return pool(toml, files={"application.py": APPLICATION}, environment=environment)


def test_what_goes_on_after_a_response_is_waited_for(pool: Pools) -> None:
    running = start(pool)
    assert get(running, "/background").body == b"served"
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    said = running.stdout.split("\n")
    assert said.index("background done") < said.index("lifespan shut down")


def test_a_long_poll_is_told_at_the_end_of_the_drain(pool: Pools) -> None:
    running = start(pool, drain="0.1s")
    with connect(running.urls()[0]) as sock:
        sock.sendall(request("/poll", close=False))
        wait_until(lambda: "begun /poll" in running.stdout)
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 0
    said = running.stdout.split("\n")
    assert said.index("told http.disconnect") < said.index("cleaned up") < said.index("lifespan shut down")


def test_what_refuses_to_be_cancelled_does_not_keep_its_worker(pool: Pools) -> None:
    running = start(pool, stop="6s")
    for path in ("/refuses", "/spins"):
        assert get(running, path).body == b"served"
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    assert "refused" in running.stdout
    assert "requests_abandoned requests=2" in running.stderr
    assert "lifespan shut down" in running.stdout


def test_a_lifespan_that_hangs_does_not_keep_its_worker(pool: Pools) -> None:
    running = start(pool, stop="1s", TEST_HANGS="yes")
    running.send_signal(signal.SIGTERM)
    assert running.wait() == 0
    assert "lifespan_shutdown_overdue seconds=" in running.stderr
