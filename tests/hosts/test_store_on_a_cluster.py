"""A kv listener whose store is a cluster of Redis: keys on three shards, a primary that is killed, slots that move.

The pool is outside of the hosts of the cluster; the tests reach it by its socket file, which no namespace hides.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

import pytest
import redis
from fleet import Fleet
from hosts import BACK, why_no_hosts
from kv_client import Client
from redis_cluster import PRIMARY, REPLICA, RedisCluster

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

pytestmark = pytest.mark.skipif(why_no_hosts() is not None, reason=why_no_hosts() or "")

POOL = """
[pool]
workers = 2
[[listener]]
name = "kv"
bind = ["unix://{folder}/kv.sock"]
protocol = "kv"
options = {{ store = "cluster://{nodes}" }}
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path) as made:
        yield made


@pytest.fixture
def cluster(fleet: Fleet) -> RedisCluster:
    return RedisCluster(fleet.folder, fleet.hosts)


@pytest.fixture
def pool(fleet: Fleet, cluster: RedisCluster, tmp_path: Path) -> Iterator[PoolProcess]:
    seed = cluster.nodes.split(",")[1]  # the others are found
    toml = POOL.format(folder=tmp_path, nodes=seed)
    with PoolProcess.run(toml, wrapper=fleet.outside.inside) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.stderr, running.stderr


def redis_py(folder: Path, protocol: int = 2) -> redis.Redis:
    return redis.Redis(unix_socket_path=f"{folder}/kv.sock", socket_timeout=DEADLINE_S, protocol=protocol)


class Counting:
    """Clients that count in pipelines, each on keys of its own. Use as a context manager."""

    def __init__(self, pool: PoolProcess, clients: int = 4) -> None:
        self._pool = pool
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=[number]) for number in range(clients)]
        self.rounds = 0
        self.errors: list[str] = []
        self.wrong: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, rounds: int) -> None:
        """Wait for more rounds without an error."""
        before = self.rounds
        wait_until(lambda: self.rounds >= before + rounds or bool(self.wrong), 3 * DEADLINE_S, "rounds of requests")

    def wait_until_well(self, rounds: int) -> None:
        """Wait for so many rounds in a row without an error of any client: not all learn at once of a failover."""
        errors, begin = -1, 0

        def is_well() -> bool:
            nonlocal errors, begin
            if len(self.errors) != errors:
                errors, begin = len(self.errors), self.rounds
            return self.rounds >= begin + rounds

        wait_until(is_well, 3 * DEADLINE_S, "rounds of requests without an error")

    def _run(self, number: int) -> None:
        client = Client(self._pool.connect())
        keys = [f"{number}-{place}" for place in range(50)]
        last = dict.fromkeys(keys, 0)
        while not self._stop.is_set():
            client.send_all([("INCR", key) for key in keys for _ in range(3)])
            replies = [(key, client.receive()) for key in keys for _ in range(3)]
            errors = [str(reply) for _, reply in replies if isinstance(reply, Exception)]
            self.errors += errors
            for key, reply in replies:
                if isinstance(reply, int):
                    # After a failover there may be fewer: the last writes are lost, or were not acknowledged.
                    if not errors and not self.errors and reply != last[key] + 1:
                        self.wrong.append(f"{key}: {reply} after {last[key]}")
                    last[key] = reply
            self.rounds += not errors
        client.sock.close()


@pytest.mark.parametrize("protocol", [2, 3])
def test_clients_see_one_server(pool: PoolProcess, tmp_path: Path, protocol: int) -> None:
    with redis_py(tmp_path, protocol) as client:
        assert pool.running
        with client.pipeline(transaction=False) as pipeline:
            for number in range(600):
                pipeline.set(f"k{number}", number)
            for number in range(600):
                pipeline.get(f"k{number}")
            assert pipeline.execute()[600:] == [b"%d" % number for number in range(600)], "in their order"
        assert client.dbsize() == 600
        assert sorted(client.scan_iter(count=50)) == sorted(client.keys()) == sorted(b"k%d" % n for n in range(600))
        with pytest.raises(redis.ResponseError, match="Keys in request don't hash to the same slot"):
            client.mget("k1", "k2")
        client.mset({"{tag}1": "a", "{tag}2": "b"})
        assert client.mget("{tag}1", "{tag}2") == [b"a", b"b"]
        with client.pipeline() as pipeline:
            pipeline.watch("{tag}1")
            pipeline.multi()
            pipeline.get("{tag}1")
            pipeline.append("{tag}2", "c")
            assert pipeline.execute() == [b"a", 2]
        script = client.register_script("return redis.call('get', KEYS[1])")
        assert [script(keys=[f"k{number}"]) for number in range(20)] == [b"%d" % number for number in range(20)]
        client.rpush("queue", "one")
        assert list(client.blpop(["queue"])) == [b"queue", b"one"]
        with client.pubsub() as channels:
            channels.subscribe("news")
            wait_until(lambda: channels.get_message(timeout=0.1) is not None, what="the subscription")

            def arrives() -> bool:  # servers of a cluster that was just made may not be joined to each other yet
                client.publish("news", "hello")
                message = channels.get_message(timeout=0.1)
                return message is not None and message["data"] == b"hello"

            wait_until(arrives, what="a message that another server has")
        assert client.flushall()
        assert client.dbsize() == 0


def test_slots_move_while_clients_write(fleet: Fleet, cluster: RedisCluster, pool: PoolProcess) -> None:
    host = fleet.hosts["one"]
    address = f"{host.address(BACK)}:{PRIMARY}"
    target = host.run("redis-cli", "-h", host.address(BACK), "-p", str(PRIMARY), "cluster", "myid").strip()
    with Counting(pool) as counting:
        counting.wait_for(20)
        host.run(
            "redis-cli", "--cluster", "reshard", address, "--cluster-from", "all", "--cluster-to", target,
            "--cluster-slots", "600", "--cluster-yes",
        )  # fmt: skip
        counting.wait_for(20)

    assert cluster.is_served("one")
    assert counting.wrong == []
    assert counting.errors == []


def test_a_primary_is_killed_while_clients_write(cluster: RedisCluster, pool: PoolProcess) -> None:
    with Counting(pool) as counting:
        counting.wait_for(20)
        cluster.kill("one", PRIMARY)
        wait_until(lambda: cluster.role("two", REPLICA) == "master" or cluster.role("three", REPLICA) == "master")
        wait_until(lambda: cluster.is_served("two"), what="the cluster has failed over")
        counting.wait_until_well(200)

    assert counting.wrong == []
    told = ("the store has failed", "CLUSTERDOWN")
    assert [each for each in counting.errors if not any(words in each for words in told)] == []
