"""INFO's keyspace_hits and keyspace_misses, over all workers, beside those of a redis-server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

FILL = """SET s text
SETBIT b 7 1
RPUSH l a b
HSET h f v
SADD t m n
ZADD z 1 m
XADD x 1-1 f v"""

READ = """GET s
GET no
GET l
LRANGE s 0 -1
HGET no f
MGET s no l
STRLEN s
STRLEN no
GETRANGE s 0 1
GETBIT b 7
GETBIT no 7
EXISTS s no s
TYPE s
TYPE no
TTL s
PTTL no
LRANGE l 0 -1
LLEN no
LINDEX l 0
HGET h f
HGETALL no
HEXISTS h no
SMEMBERS t
SISMEMBER no m
SINTER t t
SUNION t no
ZSCORE z m
ZRANGE no 0 -1
XLEN x
XRANGE no - +
SET s again
SET new one
DEL new
INCR count
APPEND s more
LPUSH l c
LPOP l
EVAL return{redis.call('get','s'),redis.call('get','no')} 0
BITCOUNT s
DUMP no"""


def hits_and_misses(client: Client) -> tuple[int, int]:
    found = dict(line.split(":", 1) for line in client("INFO", "stats").decode().splitlines() if ":" in line)
    return int(found["keyspace_hits"]), int(found["keyspace_misses"])


def run(client: Client, lines: str) -> None:
    for line in lines.splitlines():
        client(*line.split())


def test_hits_and_misses_are_those_of_redis_over_all_workers(tmp_path: Path) -> None:
    with running_redis(tmp_path) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(path))
        redis = Client(sock)
        run(redis, FILL)
        expected = {}
        for line in READ.splitlines():
            before = hits_and_misses(redis)
            run(redis, line)
            after = hits_and_misses(redis)
            expected[line] = after[0] - before[0], after[1] - before[1]

    with PoolProcess.run(kv_toml(workers=2)) as running:
        clients = [Client(running.connect()) for _ in range(4)]
        run(clients[0], FILL)
        found = {}
        for line in READ.splitlines():
            before = hits_and_misses(clients[0])
            run(clients[0], line)
            after = hits_and_misses(clients[0])
            found[line] = after[0] - before[0], after[1] - before[1]
        assert found == expected

        clients[0]("CONFIG", "RESETSTAT")
        for client in clients:
            run(client, "GET s\nGET no")
        wait_until(lambda: hits_and_misses(clients[0]) == (4, 4), what="the counts of both workers")
        for client in clients:
            client.sock.close()
