"""The clients that people have: redis-cli, nc, redis-py."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis
import redis.asyncio
from kv_client import kv_toml

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture
def kv(pool: Pools) -> PoolProcess:
    return pool(kv_toml())


def port(running: PoolProcess) -> int:
    number = urlsplit(running.urls()[0]).port
    assert number is not None
    return number


def run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=True).stdout  # noqa: S603


def test_nc(kv: PoolProcess) -> None:
    text = 'SET greeting "hello world"\nGET greeting\n'

    assert run("nc", "-N", "127.0.0.1", str(port(kv)), text=text) == "+OK\n$11\nhello world\n"


@pytest.mark.parametrize("version", ["-2", "-3"])
def test_redis_cli(kv: PoolProcess, version: str) -> None:
    text = "SET a 1\nINCR a\nMULTI\nINCRBYFLOAT a 0.5\nEXEC\nTTL a\nGET nothing\nCLIENT INFO\n"
    lines = run("redis-cli", version, "-p", str(port(kv)), text=text).splitlines()

    assert lines[:7] == ["OK", "2", "OK", "QUEUED", "2.5", "-1", ""]
    assert "id=" in lines[7]


def test_redis_cli_pipe_loads_many(kv: PoolProcess) -> None:
    requests = "".join(f"*3\r\n$3\r\nSET\r\n${len(str(n))}\r\n{n}\r\n$1\r\nx\r\n" for n in range(5000))

    assert "errors: 0, replies: 5000" in run("redis-cli", "-p", str(port(kv)), "--pipe", text=requests)
    assert run("redis-cli", "-p", str(port(kv)), "dbsize") == "5000\n"


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(kv: PoolProcess, protocol: int) -> None:
    with redis.Redis(port=port(kv), protocol=protocol, client_name="tester", decode_responses=True) as client:
        assert client.ping()
        assert client.set("a", "1", ex=100, nx=True)
        assert client.ttl("a") in (99, 100)
        assert client.mget("a", "b") == ["1", None]
        assert client.incrbyfloat("f", 1.5) == 1.5
        assert sorted(client.scan_iter(match="*")) == ["a", "f"]
        assert client.client_getname() == "tester"
        assert client.info("keyspace")["db0"]["keys"] == 2
        assert client.time()[0] > 0
        with client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.set(f"n{number}", number)
            assert pipeline.execute() == [True] * 1000
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.incr("f")


def test_redis_py_transactions_retry_until_no_other_client_interferes(kv: PoolProcess) -> None:
    def step(pipe: redis.client.Pipeline) -> None:
        value = int(pipe.get("n") or 0)
        pipe.multi()
        pipe.set("n", value + 1)

    def increment() -> None:
        with redis.Redis(port=port(kv)) as client:
            for _ in range(50):
                client.transaction(step, "n")

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with redis.Redis(port=port(kv)) as client:
        assert client.get("n") == b"200"


def test_redis_py_asyncio(kv: PoolProcess) -> None:
    async def talk() -> list[bytes | None]:
        async with redis.asyncio.Redis(port=port(kv)) as client:
            await asyncio.gather(*(client.set(f"k{number}", number) for number in range(100)))
            return list(await asyncio.gather(*(client.get(f"k{number}") for number in range(100))))

    assert asyncio.run(talk()) == [b"%d" % number for number in range(100)]
