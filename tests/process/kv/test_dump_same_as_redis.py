"""DUMP and RESTORE: each side takes the values of the other, a real redis-server 7.0, and refuses the same."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

Words = tuple[object, ...]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    with ExitStack() as stack:
        path = stack.enter_context(running_redis(tmp_path_factory.mktemp("redis")))
        ours = stack.enter_context(PoolProcess.run(kv_toml(workers=1)))
        redis = stack.enter_context(connect(f"unix://{path}"))
        yield Client(redis), Client(stack.enter_context(connect(ours.urls()[0])))


INTEGERS = [0, 1, 63, 64, 127, 128, -1, -128, 4095, 4096, -4096, -4097, 32767, 32768, -32769, 2**23, -(2**23) - 1]
INTEGERS += [2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]
TEXTS = ["", "a", "x" * 63, "x" * 64, "ab" * 40, "y" * 4094, "z" * 4096, "\0\n", "01", "-0", "3.5", "abc" * 6000]


def texts(rng: random.Random, count: int, most: int = 10_000) -> list[object]:
    short = [text for text in TEXTS if len(text) <= most]
    return [
        rng.choice([rng.choice(INTEGERS), rng.choice(short), rng.randbytes(rng.choice([3, 30]))]) for _ in range(count)
    ]


def making(rng: random.Random, key: str) -> Words:
    count = rng.choice([1, 2, 5, 50, 400])
    most = rng.choice([64, 10_000])
    pairs = [word for text in texts(rng, count, most) for word in (text, rng.choice(TEXTS if most > 64 else ["v", 7]))]
    scored = [
        word for text in texts(rng, count, most) for word in (rng.choice(["1", "-2.5", "inf", "1e300", "0"]), text)
    ]
    return rng.choice(
        [
            ("SET", key, *texts(rng, 1, 100_000)),
            ("RPUSH", key, *texts(rng, count, most)),
            ("SADD", key, *rng.choices(INTEGERS, k=count)),
            ("SADD", key, *texts(rng, count, most)),
            ("HSET", key, *pairs),
            ("ZADD", key, *scored),
        ]
    )


def content(client: Client, key: str) -> object:
    kind = client("TYPE", key)
    match kind:
        case b"string":
            return kind, client("GET", key)
        case b"list":
            return kind, client("LRANGE", key, 0, -1)
        case b"set":
            return kind, sorted(client("SMEMBERS", key))
        case b"hash":
            found = client("HGETALL", key)
            return kind, sorted(zip(found[::2], found[1::2], strict=True))
        case b"zset":
            return kind, sorted(client("ZRANGE", key, 0, -1, "WITHSCORES"))
    return kind


@pytest.mark.parametrize("seed", range(60))
def test_a_value_passes_in_both_directions(seed: int, servers: tuple[Client, Client]) -> None:
    rng = random.Random(seed)  # noqa: S311 - always the same
    for each in servers:
        each("FLUSHALL")
    command = making(rng, "k")
    for source, target in (servers, servers[::-1]):
        assert not isinstance(source(*command), Exception)
        assert target("RESTORE", "copy", 0, source("DUMP", "k")) == b"OK"
        assert content(target, "copy") == content(source, "k")
        assert target("RESTORE", "brief", 100_000, source("DUMP", "k"), "REPLACE") == b"OK"
        assert 0 < target("PTTL", "brief") <= 100_000
        assert content(target, "brief") == content(source, "k")


def make_stream(client: Client, key: str, rng: random.Random) -> None:
    client("XGROUP", "CREATE", key, "first", "0", "MKSTREAM")
    milliseconds = 0
    for _ in range(rng.choice([0, 1, 5, 250])):
        milliseconds += rng.choice([0, 1, 1000, 2**40])
        fields = rng.choice([["f", "v"], ["f", "v"], ["g", "v", "h", "w"], texts(rng, 4, 4096)])
        client("XADD", key, f"{milliseconds}-*" if milliseconds else "*", *fields)
        milliseconds = int(client("XREVRANGE", key, "+", "-", "COUNT", 1)[0][0].split(b"-")[0])
    for name in ["second", "x" * 500]:
        client("XGROUP", "CREATE", key, name, rng.choice(["0", "$"]))
    for consumer in ["c", "d", "y" * 500]:
        client("XREADGROUP", "GROUP", "first", consumer, "COUNT", rng.choice([1, 100]), "STREAMS", key, ">")
        client("XREADGROUP", "GROUP", "second", consumer, "NOACK", "COUNT", 1, "STREAMS", key, ">")
    client("XREADGROUP", "GROUP", "first", "c", "STREAMS", key, "0")
    found = client("XRANGE", key, "-", "+")
    for entry_id, _ in rng.sample(found, k=len(found) // 4):
        client(*rng.choice([("XDEL", key, entry_id), ("XACK", key, "first", entry_id)]))


def content_of_stream(client: Client, key: str) -> object:
    facts = client("XINFO", "STREAM", key, "FULL", "COUNT", 0)
    return [*facts[:2], *facts[6:]]  # without the nodes of Redis's tree


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_passes_in_both_directions(seed: int, servers: tuple[Client, Client]) -> None:
    for source, target in (servers, servers[::-1]):
        source("FLUSHALL")
        target("FLUSHALL")
        make_stream(source, "k", random.Random(seed))  # noqa: S311 - always the same
        for _ in range(2):  # a restored one can be dumped again
            assert target("RESTORE", "copy", 0, source("DUMP", "k"), "REPLACE") == b"OK"
            assert content_of_stream(target, "copy") == content_of_stream(source, "k")
            assert source("RESTORE", "k", 0, target("DUMP", "copy"), "REPLACE") == b"OK"
        for each in (source, target):
            each("XADD", "copy" if each is target else "k", "18446744073709551615-1", "f", "v")
        assert content_of_stream(target, "copy") == content_of_stream(source, "k")


def test_odd_requests_are_answered_as_by_redis(servers: tuple[Client, Client]) -> None:
    redis, _ = servers
    redis("FLUSHALL")
    redis("SET", "k", "v" * 100)
    sound = redis("DUMP", "k")
    empty = redis("DUMP", "none")
    steps: list[Words] = [
        ("FLUSHALL",),
        ("DUMP", "none"),
        ("DUMP",),
        ("RESTORE", "a", 0),
        ("RESTORE", "a", 0, sound),
        ("RESTORE", "a", 0, sound),
        ("RESTORE", "a", "x", sound),
        ("RESTORE", "a", -1, sound, "REPLACE"),
        ("RESTORE", "a", 0, sound, "REPLACE", "IDLETIME", 10, "FREQ", 3),
        ("RESTORE", "a", 0, sound, "REPLACE", "IDLETIME", 10),
        ("RESTORE", "a", 0, sound, "REPLACE", "IDLETIME", -1),
        ("RESTORE", "a", 0, sound, "REPLACE", "FREQ", 256),
        ("RESTORE", "a", 0, sound, "REPLACE", "FREQ"),
        ("RESTORE", "a", 0, sound, "FOO"),
        ("RESTORE", "a", 1, sound, "REPLACE", "ABSTTL"),
        ("EXISTS", "a"),
        ("RESTORE", "b", 2**45, sound, "ABSTTL"),
        ("PEXPIRETIME", "b"),
        ("RESTORE", "c", 0, sound[:-1]),
        ("RESTORE", "c", 0, b""),
        ("RESTORE", "c", 0, sound[:3] + b"?" + sound[4:]),
        ("RESTORE", "c", 0, sound[:-10] + b"\xff\0" + sound[-8:]),
    ]
    assert empty is None
    for words in steps:
        expected, got = (each(*words) for each in servers)
        assert str(got) == str(expected), words


def test_bytes_that_are_no_value_are_refused(servers: tuple[Client, Client]) -> None:
    from corepool_kv.redis.dumps import crc64  # noqa: PLC0415

    _, ours = servers
    rng = random.Random(5)  # noqa: S311
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    for number in range(300):
        ours("FLUSHALL")
        if number % 5:
            ours(*making(random.Random(number), "k"))  # noqa: S311
        else:
            make_stream(ours, "k", random.Random(number))  # noqa: S311
        body = bytearray(servers[0]("DUMP", "k") or ours("DUMP", "k"))[:-8]
        for _ in range(rng.choice([1, 2, 5])):
            body[rng.randrange(max(1, len(body) - 2))] = rng.randrange(256)
        reply = ours("RESTORE", "m", 0, bytes(body) + crc64(bytes(body)).to_bytes(8, "little"), "REPLACE")
        assert str(reply) in ("b'OK'", "ERR Bad data format") or "Target" in str(reply), reply
        assert ours("PING") == b"PONG"
