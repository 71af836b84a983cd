"""Frameworks that keep their data in Redis work on a pool of two workers: locks, limits, tasks, channels."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import limits.storage
import limits.strategies
import pytest
import redis
from channels_redis.core import RedisChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer
from http_client import APPLICATIONS, http_toml
from kv_client import kv_toml
from sources import source

from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pools import Pools

DEADLINE_S = 300


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with PoolProcess.run(kv_toml(workers=2)) as running:
        yield running.urls()[0].replace("tcp://", "redis://")


def test_locks_of_redis_py(url: str) -> None:
    first, second = redis.Redis.from_url(url), redis.Redis.from_url(url)
    lock = first.lock("a lock", timeout=DEADLINE_S)
    assert lock.acquire()
    assert not second.lock("a lock").acquire(blocking=False)
    assert lock.extend(5)
    assert lock.reacquire()
    lock.release()
    again = second.lock("a lock", timeout=DEADLINE_S)
    assert again.acquire(blocking=False)
    with pytest.raises(redis.exceptions.LockError):
        lock.release()
    again.release()


@pytest.mark.parametrize(
    "strategy",
    [
        limits.strategies.FixedWindowRateLimiter,
        limits.strategies.MovingWindowRateLimiter,
        limits.strategies.SlidingWindowCounterRateLimiter,
    ],
)
def test_limits_of_flask_limiter(url: str, strategy: type[limits.strategies.RateLimiter]) -> None:
    limiter = strategy(limits.storage.storage_from_string(url))
    three = limits.parse("3/day")
    assert [limiter.hit(three, "client", strategy.__name__) for _ in range(5)] == [True, True, True, False, False]
    assert limiter.get_window_stats(three, "client", strategy.__name__).remaining == 0


@pytest.mark.parametrize("strategy", ["fixed-window", "moving-window", "sliding-window-counter"])
def test_an_application_with_flask_limiter_is_limited_over_all_workers(url: str, pool: Pools, strategy: str) -> None:
    environment = {"KV": url, "STRATEGY": strategy}
    toml = http_toml(workers=3, target="limited:app", directory=str(APPLICATIONS))
    limited = pool(toml, environment=environment).urls()[0].replace("tcp://", "http://")

    answers = [httpx.get(limited, timeout=DEADLINE_S) for _ in range(8)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 3
    assert len({answer.text for answer in answers[:5]}) == 3, "each worker has answered some"
    assert "5 per 1 day" in answers[5].text
    assert httpx.get(f"{limited}/free", timeout=DEADLINE_S).status_code == 200


@pytest.mark.parametrize("layer", [RedisChannelLayer, RedisPubSubChannelLayer])
def test_channels_of_django(url: str, layer: type[RedisChannelLayer]) -> None:
    async def talk() -> object:
        one, two = layer(hosts=[url]), layer(hosts=[url])
        channel = await one.new_channel()
        await one.group_add("group", channel)
        await two.group_send("group", {"type": "news", "number": 1})
        message = await asyncio.wait_for(one.receive(channel), DEADLINE_S)
        for each in (one, two):
            await (each.close_pools() if hasattr(each, "close_pools") else each.flush())
        return message

    assert asyncio.run(talk()) == {"type": "news", "number": 1}


DJANGO = """
import sys
import django
from django.conf import settings
settings.configure(CACHES={"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": sys.argv[1]}})
django.setup()
from django.core.cache import cache
with cache.lock("lock", timeout=300):
    assert not cache.lock("lock").acquire(blocking=False)
assert cache.lock("lock", timeout=300).acquire(blocking=False)
cache.set("a", {"b": 1})
assert cache.incr_version("a") == 2
assert cache.get("a", version=2) == {"b": 1}
assert cache.delete_pattern("*") > 0
"""


def test_locks_of_django_redis(url: str) -> None:
    subprocess.run([sys.executable, "-c", DJANGO, url], check=True, timeout=DEADLINE_S)  # noqa: S603


@contextmanager
def workers(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run two workers of Celery."""
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "solo", "-l", "error"]
    running = [
        subprocess.Popen([*command, "-n", f"worker{number}@here"], cwd=folder, env=environment)  # noqa: S603
        for number in (1, 2)
    ]
    try:
        yield
    finally:
        for each in running:
            each.kill()
            each.wait()


def test_tasks_of_celery(url: str, tmp_path: Path) -> None:
    environment = os.environ | {"KV": url, "C_FORCE_ROOT": "1"}
    (tmp_path / "celery_tasks.py").write_text(source("served/celery_tasks.py"))
    with workers(tmp_path, environment):
        command = [sys.executable, "-m", "celery_tasks"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=DEADLINE_S + 60)  # noqa: S603
