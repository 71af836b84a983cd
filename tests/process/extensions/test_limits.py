"""`limits`: how many connections a client and a pool may have. Real pools and sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from extension_client import config, connect_from, is_served, serves, unix_url
from operated import corepool

from corepool import Address
from corepool.spec.networks import peer_of
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until
from corepool_extensions.limits import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture
def held() -> Iterator[contextlib.ExitStack]:
    """Keep connections open until the test ends."""
    with contextlib.ExitStack() as stack:
        yield stack


def hold(held: contextlib.ExitStack, url: str, source: str = "127.0.0.1") -> socket.socket:
    client = held.enter_context(connect_from(url, source))
    assert is_served(client)
    return client


def hold_soon(held: contextlib.ExitStack, url: str) -> socket.socket:
    """Hold one as soon as there is room: a worker may see a new connection before another sees the end of the last."""
    kept: list[socket.socket] = []

    def is_held() -> bool:
        client = connect(url)
        (kept.append if is_served(client) else socket.socket.close)(client)
        return kept != []

    wait_until(is_held)
    return held.enter_context(kept[0])


def connections(running: PoolProcess) -> list[int]:
    return [worker["connections"] for worker in running.status()["workers"]]


DISPATCHERS = ["round-robin", "least-connections", "source-hash", "kernel"]


@pytest.mark.parametrize("dispatcher", DISPATCHERS)
def test_a_client_has_so_many_connections_at_once(pool: Pools, held: contextlib.ExitStack, dispatcher: str) -> None:
    toml = config("limits\nper_peer = 2", workers=4, listener=f'dispatcher = "{dispatcher}"')
    url = pool(toml).urls()[0]
    first = hold(held, url)
    hold(held, url)

    assert [serves(url) for _ in range(10)] == [False] * 10
    assert serves(url, "127.0.0.2")
    first.close()
    hold_soon(held, url)  # none of those that were refused is held against it
    assert not serves(url)


@pytest.mark.parametrize("dispatcher", DISPATCHERS)
def test_a_client_connects_so_often(pool: Pools, dispatcher: str) -> None:
    toml = config("limits\nrate = 0.001\nburst = 3", workers=4, listener=f'dispatcher = "{dispatcher}"')
    url = pool(toml).urls()[0]

    assert [serves(url) for _ in range(6)] == [True, True, True, False, False, False]
    assert serves(url, "127.0.0.2")


def test_the_rate_comes_back(pool: Pools) -> None:
    url = pool(config("limits\nrate = 20\nburst = 1", workers=4)).urls()[0]
    wait_until(lambda: not serves(url))

    wait_until(lambda: serves(url))


def test_a_pool_holds_so_many_connections_in_all_its_workers_and_listeners(
    pool: Pools, held: contextlib.ExitStack
) -> None:
    other = '[[listener]]\nname = "other"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "echo"'
    toml = config("limits\ntotal = 4", workers=2, listener='dispatcher = "round-robin"', more=other)
    running = pool(toml)
    url = running.urls("front")[0]
    for each in (url, running.urls("other")[0], url):
        hold(held, each)
    last = hold(held, url)
    wait_until(lambda: sum(connections(running)) == 4)
    assert max(connections(running)) < 4  # so that no worker reaches the total by itself

    # The workers learn of each other a little later: after that no client is served.
    wait_until(lambda: not any([serves(url), serves(url)]))
    assert [serves(url, "127.0.0.2") for _ in range(6)] == [False] * 6
    last.close()
    wait_until(lambda: serves(url))


def test_unix_clients_are_told_apart_by_nothing(pool: Pools, held: contextlib.ExitStack) -> None:
    url = unix_url()
    running = pool(config("limits\nper_peer = 1\nrate = 0.001\ntotal = 3", bind=url))
    for _ in range(3):
        assert is_served(held.enter_context(connect(url)))

    wait_until(lambda: sum(connections(running)) == 3)
    assert not serves(url)


def test_each_reason_has_its_count(pool: Pools, held: contextlib.ExitStack) -> None:
    running = pool(config("limits\nper_peer = 1\nrate = 0.001\nburst = 2"))
    url = running.urls()[0]
    hold(held, url)
    assert [serves(url) for _ in range(3)] == [False] * 3
    hold(held, url, "127.0.0.2").close()
    wait_until(lambda: sum(connections(running)) == 1)
    assert [serves(url, "127.0.0.2") for _ in range(4)] == [True, False, False, False]
    running.stop()

    lines = [line for line in running.stderr.splitlines() if "extension=limits" in line]
    assert sum(line.count("per_peer=") for line in lines) >= 1
    assert "rate=" in lines[-1]
    assert "total=6 " in lines[-1]


@pytest.mark.parametrize(
    ("one", "other", "prefix", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", 64, True),
        ("2001:db8::1", "2001:db8:0:1::1", 64, False),
        ("2001:db8::1", "2001:db8::2", 128, False),
        ("10.0.0.1", "10.0.0.2", 1, False),
        ("10.0.0.1", "::ffff:10.0.0.1", 64, True),
        ("::a00:1", "10.0.0.1", 128, False),
    ],
)
def test_which_addresses_are_one_client(one: str, other: str, prefix: int, is_same: bool) -> None:  # noqa: FBT001
    keys = [key_of(peer_of(Address(host, 1)), prefix) for host in (one, other)]

    assert (keys[0] == keys[1]) is is_same


def test_connections_that_come_and_go_never_reach_the_total(pool: Pools) -> None:
    url = pool(config("limits\ntotal = 10")).urls()[0]

    assert [serves(url) for _ in range(200)] == [True] * 200


def test_many_clients_at_once_have_what_the_limits_say(pool: Pools, held: contextlib.ExitStack) -> None:
    """All connect before any is served, so that four workers judge them at the same time."""
    limits = "limits\nper_peer = 7\nrate = 0.001\nburst = 10"
    url = pool(config(limits, workers=4, listener='dispatcher = "round-robin"')).urls()[0]
    sources = [f"127.0.0.{number}" for number in range(1, 6)]
    clients = {source: [held.enter_context(connect_from(url, source)) for _ in range(40)] for source in sources}
    served = {source: [each for each in its if is_served(each)] for source, its in clients.items()}
    assert [len(its) for its in served.values()] == [7] * 5

    for its in served.values():
        for each in its:
            each.close()
    for source in sources:
        wait_until(lambda source=source: serves(url, source))  # which takes the eighth of its burst
        assert sum(serves(url, source) for _ in range(20)) <= 2


def test_what_a_killed_worker_has_held_is_free_again(pool: Pools, held: contextlib.ExitStack) -> None:
    running = pool(config("limits\nper_peer = 4", workers=4, listener='dispatcher = "round-robin"'))
    url = running.urls()[0]
    clients = [hold(held, url) for _ in range(4)]
    assert not serves(url)
    for victim in running.workers():
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda victim=victim: victim not in running.workers())
        clients = [each for each in clients if is_served(each)]
        while len(clients) < 4:
            clients.append(hold_soon(held, url))
        assert not serves(url)


def test_a_reload_forgets_no_client(pool: Pools) -> None:
    running = pool(config("limits\nrate = 0.001\nburst = 3", workers=4))
    url = running.urls()[0]
    assert [serves(url) for _ in range(3)] == [True] * 3
    assert corepool(running, "reload").returncode == 0
    assert not serves(url)
    assert serves(url, "127.0.0.2")


@pytest.mark.parametrize("zone", ["", 'zone = "all"'])
def test_listeners_of_a_zone_count_together(pool: Pools, zone: str) -> None:
    limits = f"rate = 0.001\nburst = 2\n{zone}"
    other = f"""
[[listener]]
name = "other"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
extensions = ["limits"]
[listener.extension_options.limits]
{limits}
"""
    running = pool(config(f"limits\n{limits}", workers=4, more=other))
    front, other = running.urls("front")[0], running.urls("other")[0]
    assert [serves(front), serves(front), serves(front)] == [True, True, False]
    assert [serves(other), serves(other), serves(other)] == [not zone, not zone, False]
