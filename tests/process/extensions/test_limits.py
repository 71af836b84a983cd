"""`limits`: how many connections a client and a pool may have. Real pools and sockets."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from extension_client import config, connect_from, is_served, serves, unix_url

from corepool import Address
from corepool.spec.networks import peer_of
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until
from corepool_extensions.limits import key_of

if TYPE_CHECKING:
    import socket
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


def connections(running: PoolProcess) -> list[int]:
    return [worker["connections"] for worker in running.status()["workers"]]


@pytest.mark.parametrize("setting", [(1, "least-connections"), (2, "source-hash"), (1, "kernel")])
def test_a_client_has_so_many_connections_at_once(
    pool: Pools, held: contextlib.ExitStack, setting: tuple[int, str]
) -> None:
    workers, dispatcher = setting
    toml = config("limits\nper_peer = 2", workers=workers, listener=f'dispatcher = "{dispatcher}"')
    url = pool(toml).urls()[0]
    first = hold(held, url)
    hold(held, url)

    assert [serves(url) for _ in range(10)] == [False] * 10
    assert serves(url, "127.0.0.2")
    first.close()
    wait_until(lambda: serves(url))  # which held none of those that were refused against it
    hold(held, url)
    assert not serves(url)


def test_a_client_connects_so_often(pool: Pools) -> None:
    url = pool(config("limits\nrate = 0.001\nburst = 3")).urls()[0]

    assert [serves(url) for _ in range(6)] == [True, True, True, False, False, False]
    assert serves(url, "127.0.0.2")


def test_the_rate_comes_back(pool: Pools) -> None:
    url = pool(config("limits\nrate = 20\nburst = 1")).urls()[0]
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
