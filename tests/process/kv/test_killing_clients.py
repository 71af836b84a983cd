"""CLIENT KILL ends clients of its worker; a pattern of stars does not match an empty name, as in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kv_client import Client, encode, kv_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Pair

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]


def address(client: Client) -> str:
    host, port = client.sock.getsockname()
    return f"{host}:{port}"


def is_over(client: Client) -> bool:
    try:
        client("PING")
    except (EOFError, OSError):
        return True
    return False


def test_clients_are_killed_by_their_facts(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=1))
    me, by_number, by_address, subscribed, waiting, other = (clients(running) for _ in range(6))
    subscribed("SUBSCRIBE", "news")
    waiting.send("BLPOP", "k", 0)

    assert me("CLIENT", "KILL", "ID", by_number("CLIENT", "ID")) == 1
    assert me("CLIENT", "KILL", address(by_address)) == b"OK"
    assert me("CLIENT", "KILL", "TYPE", "pubsub", "USER", "default") == 1
    assert me("CLIENT", "KILL", "ADDR", address(waiting), "LADDR", running.urls()[0].removeprefix("tcp://")) == 1
    assert all(map(is_over, (by_number, by_address, subscribed)))
    with pytest.raises((EOFError, OSError)):
        waiting.receive()
    assert other("RPUSH", "k", "x") == 1
    assert other("LLEN", "k") == 1
    assert me("CLIENT", "KILL", "ID", me("CLIENT", "ID")) == 0  # unless it says otherwise
    assert me("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no") == 2
    assert is_over(me)
    assert is_over(other)


def test_killing_in_a_transaction_is_done_with_it(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(workers=1, durability="always"))
    me, other = clients(running), clients(running)
    assert other("PING") == b"PONG"
    me.send_all([("MULTI",), ("SET", "a", 1), ("CLIENT", "KILL", address(other)), ("GET", "a"), ("EXEC",)])

    assert [me.receive() for _ in range(5)][-1] == [b"OK", b"OK", b"1"]
    assert is_over(other)


def test_stars_match_an_empty_name_as_in_redis(pair: Pair) -> None:
    stream = [("FLUSHALL",), ("SET", "", "v"), ("SADD", "s", ""), ("HSET", "h", "", "v")]
    for pattern in ("*", "**", "", "?", "a*", "[^a]"):
        stream += [("KEYS", pattern), ("SCAN", 0, "MATCH", pattern, "COUNT", 100)]
        stream += [("SSCAN", "s", 0, "MATCH", pattern), ("HSCAN", "h", 0, "MATCH", pattern)]
        stream += [("PSUBSCRIBE", pattern), ("RESET",)]
    stream += [("DEL", "", "s", "h")]

    replies = pair.ask(b"".join(map(encode, stream)))

    # Of several keys Redis has another order: the empty one is looked at.
    assert [part.count(b"$0\r\n\r\n") for part in replies] == [replies[0].count(b"$0\r\n\r\n")] * 2
    assert len(replies[0]) == len(replies[1])


def test_a_pattern_of_stars_gets_no_message_of_an_empty_channel(kv: PoolProcess, clients: Clients) -> None:
    subscriber, publisher = clients(kv), clients(kv)
    subscriber("PSUBSCRIBE", "*")

    assert publisher("PUBLISH", "", "lost") == 0
    assert publisher("PUBLISH", "a", "found") == 1
    assert subscriber.receive() == [b"pmessage", b"*", b"a", b"found"]
