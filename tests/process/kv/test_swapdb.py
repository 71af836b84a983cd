"""SWAPDB exchanges two databases at one moment for every worker, whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kv_client import kv_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from kv_client import Client

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]


def test_databases_are_exchanged_for_every_worker(kv: PoolProcess, clients: Clients) -> None:
    one, other, waiting = clients(kv), clients(kv), clients(kv)
    one("SET", "a", "in 0", "EX", 1000)
    other("SELECT", 3)
    other("RPUSH", "l", 1, 2)
    other("HSET", "h", "f", "v")
    waiting.send("BLPOP", "l", 0)
    one.send_all([("WATCH", "a"), ("MULTI",), ("GET", "a")])
    assert [one.receive() for _ in range(3)][-1] == b"QUEUED"

    assert other("SWAPDB", 0, 3) == b"OK"
    assert waiting.receive() == [b"l", b"1"]
    assert one("EXEC") is None
    assert one("LRANGE", "l", 0, -1) == [b"2"]
    assert one("HGETALL", "h") == [b"f", b"v"]
    assert one("GET", "a") is None
    assert other("GET", "a") == b"in 0"
    assert other("TTL", "a") > 0
    assert one("DBSIZE") == 2
    assert other("DBSIZE") == 1


def test_commands_behind_it_in_a_transaction_see_it_and_none_if_it_fails(kv: PoolProcess, clients: Clients) -> None:
    one, other = clients(kv), clients(kv)
    one("SADD", "s", "in 0")
    one.send_all([("MULTI",), ("SMEMBERS", "s"), ("SWAPDB", 0, 1), ("SADD", "s", "new"), ("SMEMBERS", "s"), ("EXEC",)])
    assert [one.receive() for _ in range(6)][-1] == [[b"in 0"], b"OK", 1, [b"new"]]
    other("SELECT", 1)
    assert other("SMEMBERS", "s") == [b"in 0"]


@pytest.mark.parametrize("store", ["lmdb", "memory:"])
def test_the_order_stays_with_the_store(pool: Pools, clients: Clients, tmp_path: object, store: str) -> None:
    place = f"lmdb:{tmp_path}/data" if store == "lmdb" else store
    running = pool(kv_toml(workers=1, store=place))
    client = clients(running)
    client("SET", "a", 0)
    for first, second in ((0, 1), (1, 2), (2, 2)):
        assert client("SWAPDB", first, second) == b"OK"
    client("SELECT", 2)
    assert client("GET", "a") == b"0"
    if store == "lmdb":
        running.stop()
        again = clients(pool(kv_toml(workers=2, store=place)))
        again("SELECT", 2)
        assert again("GET", "a") == b"0"
        assert again("FLUSHALL") == b"OK"
        assert again("DBSIZE") == 0
