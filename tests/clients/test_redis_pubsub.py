"""Publish and subscribe of redis-cli and redis-py, over four workers: the same replies as of a real redis-server."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import redis
import redis.asyncio
from kv_client import kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = range(20)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """How redis-py reaches a redis-server, and a pool of ours."""
    with (
        running_redis(tmp_path_factory.mktemp("redis")) as path,
        PoolProcess.run(kv_toml(workers=4)) as ours,
    ):
        yield [{"unix_socket_path": str(path)}, {"port": urlsplit(ours.urls()[0]).port}]


def messages_of(pubsub: redis.client.PubSub, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        message = pubsub.get_message(timeout=DEADLINE_S)
        assert message is not None
        found.append(message)
    return found


def talk(where: dict[str, Any], protocol: int) -> list[object]:
    told: list[object] = []
    with redis.Redis(protocol=protocol, **where) as client, client.pubsub() as pubsub, client.pubsub() as other:
        pubsub.subscribe("news", "sport")
        pubsub.psubscribe("n*", "s*")
        other.subscribe("news")
        told += [messages_of(pubsub, 4), messages_of(other, 1)]
        for number in NUMBERS:
            told.append(client.publish(["news", "sport", "other"][number % 3], f"message {number}"))
        told += [client.pubsub_numsub("news", "sport", "nothing"), client.pubsub_numpat()]
        told += [messages_of(pubsub, 2 * 14), messages_of(other, 7)]  # of channels and of patterns
        pubsub.ping("here")
        told.append(messages_of(pubsub, 1))
        pubsub.unsubscribe("news")
        pubsub.punsubscribe()
        told.append(sorted(str(each) for each in messages_of(pubsub, 3)))
        told.append(client.publish("news", "for one"))
        with client.pipeline() as pipeline:
            told.append(pipeline.set("a", 1).publish("sport", "in MULTI").execute())
        told.append(messages_of(pubsub, 1))
    return told


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(servers: list[dict[str, Any]], protocol: int) -> None:
    expected, got = (talk(where, protocol) for where in servers)

    assert got == expected


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_asyncio(servers: list[dict[str, Any]], protocol: int) -> None:
    async def talk_async(where: dict[str, Any]) -> list[object]:
        told: list[object] = []
        async with redis.asyncio.Redis(protocol=protocol, **where) as client:
            subscribers = [client.pubsub() for _ in range(5)]
            for each in subscribers:
                await each.subscribe("news")
                await each.psubscribe("[m-o]*")
                told += [await each.get_message(timeout=DEADLINE_S) for _ in range(2)]
            for number in NUMBERS:
                told.append(await client.publish("news", number))
            for each in subscribers:
                told += [await each.get_message(timeout=DEADLINE_S) for _ in range(2 * len(NUMBERS))]
                await each.aclose()  # type: ignore[no-untyped-call]
        return told

    expected, got = (asyncio.run(talk_async(where)) for where in servers)

    assert got == expected


@contextmanager
def redis_cli(where: dict[str, Any], *words: str) -> Iterator[subprocess.Popen[str]]:
    place = ["-s", where["unix_socket_path"]] if "unix_socket_path" in where else ["-p", str(where["port"])]
    command = ["stdbuf", "-oL", "redis-cli", *place, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)  # noqa: S603
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("version", ["-2", "-3"])
def test_redis_cli(servers: list[dict[str, Any]], version: str) -> None:
    told = []
    for where in servers:
        lines: list[str] = []
        with redis_cli(where, version, "SUBSCRIBE", "a", "b") as process, redis.Redis(**where) as client:
            assert process.stdout is not None
            while "2" not in "".join(lines[-1:]):
                lines.append(process.stdout.readline())
            reached = client.publish("b", "hello")
            while "hello" not in lines[-1]:
                lines.append(process.stdout.readline())
        told.append((reached, lines))

    assert told[0] == told[1]
