"""CLIENT REPLY OFF and SKIP silence what they silence in Redis, whatever a command waits for."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Pair

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

OFF, ON, SKIP, END = ("CLIENT", "REPLY", "OFF"), ("CLIENT", "REPLY", "ON"), ("CLIENT", "REPLY", "SKIP"), ("PING",)
SILENT = {
    "a wait that ends by its time": [SKIP, ("BLPOP", "none", "0.01"), ("BLPOP", "none", "0.01")],
    "a wait that is over at once": [("RPUSH", "full", 1, 2), SKIP, ("BLPOP", "full", 0), ("BLPOP", "full", 0)],
    "a wait on a wrong type": [("SET", "text", 1), SKIP, ("BLPOP", "text", 0), ("BLPOP", "text", 0)],
    "all waits": [OFF, ("BLPOP", "none", "0.01"), ("XREAD", "BLOCK", 1, "STREAMS", "none", "$"), ON],
    "in RESP3": [SKIP, ("HELLO", 3), OFF, ("BLPOP", "none", "0.01"), ON],
    "subscriptions are told": [OFF, ("SUBSCRIBE", "a"), ("PSUBSCRIBE", "b*"), ("GET", "a"), ("RESET",)],
    "one subscription is told": [SKIP, ("SSUBSCRIBE", "a"), ("SUNSUBSCRIBE", "a")],
    "behind a write": [SKIP, ("SET", "a", 1), SKIP, ("SUBSCRIBE", "a"), ("UNSUBSCRIBE", "a")],
}


@pytest.mark.parametrize("how", SILENT)
def test_a_silent_client_is_sent_what_redis_sends(pair: Pair, how: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as redis, connect(pair.ours.urls()[0]) as ours:
        redis.settimeout(DEADLINE_S)
        redis.connect(str(pair.redis))
        found = []
        for sock in (redis, ours):
            client = Client(sock)
            client("FLUSHALL")
            client.send_all([*SILENT[how], ON, ("ECHO", "the end")])
            replies: list[object] = []
            while not replies or b"the end" not in str(replies[-1]).encode():
                replies.append(client.receive())
            found.append([str(each) if isinstance(each, Exception) else each for each in replies])
    assert found[1] == found[0]


def test_writes_of_a_silent_client_fail_silently(pool: Pools, clients: Callable[[PoolProcess], Client]) -> None:
    running = pool(kv_toml(workers=1, max_bytes=1 << 20))
    client = clients(running)
    too_large = ("SET", "key", "x" * (1 << 20))
    client.send_all([SKIP, too_large, too_large, OFF, too_large, too_large, ON, END])
    assert "OOM" in str(client.receive())
    assert [client.receive(), client.receive()] == [b"OK", b"PONG"]
