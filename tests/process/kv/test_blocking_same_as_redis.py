"""Clients that wait for elements are answered as by a real redis-server, in its order, whichever worker has them."""

from __future__ import annotations

import itertools
import random
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKERS = 3
CLIENTS = 7

Words = tuple[object, ...]


@pytest.fixture(scope="module")
def redis_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_redis(tmp_path_factory.mktemp("redis")) as path:
        yield path


@pytest.fixture(scope="module", params=["lmdb:", "memory:"])
def ours(request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    workers = WORKERS if request.param == "lmdb:" else 1
    with PoolProcess.run(kv_toml(workers=workers, store=request.param)) as running:
        yield running


def plain(reply: object) -> object:
    if isinstance(reply, list):
        return [plain(each) for each in reply]
    return str(reply) if isinstance(reply, Exception) else reply


def field(text: bytes, name: bytes) -> int:
    return int(text.split(name + b":")[1].split(b"\r\n")[0])


class Side:
    """Clients of one server, of which some are blocked."""

    def __init__(self, clients: list[Client], watchers: list[Client]) -> None:
        self.clients = clients
        self._watchers = watchers  # one for each worker
        self._kept: list[list[object]] = [[] for _ in clients]
        self.ids = [client("CLIENT", "ID") for client in clients]

    def blocked(self) -> int:
        lines: bytes = self._watchers[0]("CLIENT", "LIST")
        return lines.count(b" flags=b")

    def has_answered(self, number: int) -> bool:
        client, kept = self.clients[number], self._kept[number]
        if not kept and (client.has_reply() or select.select([client.sock], [], [], 0)[0]):
            kept.append(client.receive())
        return bool(kept)

    def receive(self, number: int) -> object:
        kept = self._kept[number]
        return plain(kept.pop() if kept else self.clients[number].receive())


class Both:
    """The same clients of redis-server and of a pool."""

    def __init__(self, stack: ExitStack, path: Path, running: PoolProcess) -> None:
        def of_redis() -> Client:
            sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(DEADLINE_S)
            sock.connect(str(path))
            return Client(sock)

        def of_ours() -> Client:
            return Client(stack.enter_context(connect(running.urls()[0])))

        watchers: dict[int, Client] = {}
        while len(watchers) < len(running.workers()):
            client = of_ours()
            watchers[field(client("INFO", "server"), b"worker_slot")] = client
        self.redis = Side([of_redis() for _ in range(CLIENTS)], [of_redis()])
        self.mine = Side([of_ours() for _ in range(CLIENTS)], list(watchers.values()))
        self.blocked: set[int] = set()
        self.history: list[object] = []
        for number in range(CLIENTS):
            self.redis.clients[number]("FLUSHALL")
            self.mine.clients[number]("FLUSHALL")

    def step(self, number: int, *commands: Words, target: int | None = None) -> None:
        """Send commands, of which the last may block, and compare all replies that they bring to any client."""
        self.history.append((number, commands))
        for side in (self.redis, self.mine):
            sent = [[side.ids[target] if word is ID else word for word in each] for each in commands]  # type: ignore[index]
            side.clients[number].send_all(sent)  # type: ignore[arg-type]
        for _ in commands[:-1]:
            self.compare(number)
        was = len(self.blocked)
        wait_until(lambda: self.redis.has_answered(number) or self.redis.blocked() > was)
        self.redis.blocked()  # what it has sent before this answer is there
        if not self.redis.has_answered(number):
            self.blocked.add(number)
            wait_until(lambda: self.mine.blocked() > was, what=f"{self.history} blocked")
            return
        self.compare(number)
        for each in sorted(self.blocked):
            if self.redis.has_answered(each):
                self.compare(each)
                self.blocked.remove(each)
        wait_until(lambda: self.mine.blocked() == len(self.blocked), what=f"{self.history} blocked")

    def compare(self, number: int) -> None:
        expected, got = self.redis.receive(number), self.mine.receive(number)
        assert got == expected, f"client {number}, {self.history[-12:]}: {got!r} instead of {expected!r}"


ID = object()
"""Stands for the ID of a client, which is another one on each side."""


@pytest.fixture
def both(redis_path: Path, ours: PoolProcess) -> Iterator[Both]:
    with ExitStack() as stack:
        yield Both(stack, redis_path, ours)


KEYS = ["a", "b", "c"]
SETS = ["y", "z"]
ENDS = ["LEFT", "RIGHT"]


def blocking(rng: random.Random, patience: object) -> Words:
    keys, sets = rng.choices(KEYS, k=rng.choice([1, 2, 3])), rng.choices(SETS, k=rng.choice([1, 2]))
    return rng.choice(
        [
            ("BLPOP", *keys, patience),
            ("BRPOP", *keys, patience),
            ("BLMOVE", rng.choice(KEYS), rng.choice([*KEYS, "y"]), rng.choice(ENDS), rng.choice(ENDS), patience),
            ("BRPOPLPUSH", rng.choice(KEYS), rng.choice(KEYS), patience),
            ("BLMPOP", patience, len(keys), *keys, rng.choice(ENDS)),
            ("BLMPOP", patience, len(keys), *keys, rng.choice(ENDS), "COUNT", rng.choice([1, 2, 10])),
            ("BZPOPMIN", *sets, patience),
            ("BZPOPMAX", *sets, patience),
            ("BZMPOP", patience, len(sets), *sets, rng.choice(["MIN", "MAX"]), "COUNT", rng.choice([1, 2, 10])),
        ]
    )


def changing(rng: random.Random) -> Words:
    key, other, scored = rng.choice(KEYS), rng.choice(KEYS), rng.choice(SETS)
    values = [rng.randrange(100) for _ in range(rng.choice([1, 1, 2, 4]))]
    members = [word for value in values for word in (value, f"m{value}")]
    return rng.choice(
        [
            *[(rng.choice(["LPUSH", "RPUSH"]), key, *values)] * 6,
            *[("ZADD", scored, *members)] * 3,
            ("LPUSHX", key, *values),
            ("RENAME", key, other),
            ("RENAMENX", "d", key),
            ("RPUSH", "d", *values),
            ("COPY", "d", key, "REPLACE"),
            ("LMOVE", key, other, rng.choice(ENDS), rng.choice(ENDS)),
            ("DEL", key, scored),
            ("SET", key, "text"),
            ("ZADD", key, 1, "m"),
            ("RPUSH", scored, "v"),
            ("LRANGE", key, 0, -1),
            ("ZRANGE", scored, 0, -1, "WITHSCORES"),
            ("LLEN", key),
            ("LPOP", key),
            ("PEXPIREAT", key, 1),
            ("FLUSHALL",),
        ]
    )


def storing(rng: random.Random) -> tuple[Words, Words]:
    """Return commands that store under a new key: storing in the place of a value serves no client of Redis 7.0."""
    key, scored = rng.choice(KEYS), rng.choice(SETS)
    store: list[Words] = [("SORT", "d", "STORE", key), ("ZUNIONSTORE", scored, 2, "v", "w")]
    store += [("ZRANGESTORE", scored, "v", 0, -1), ("ZADD", "v", 1, "one", 2, "two")]
    return ("DEL", key, scored), rng.choice(store)


@pytest.mark.parametrize("seed", range(4))
def test_clients_that_wait_get_what_those_of_redis_get(seed: int, both: Both) -> None:
    rng = random.Random(seed)  # noqa: S311 - always the same
    for side in (both.redis, both.mine):
        for number in (1, 2, 3):
            side.clients[number]("HELLO", 3)
    for _ in range(250):
        free = [number for number in range(CLIENTS) if number not in both.blocked]
        number = rng.choice(free)
        kind = rng.random()
        if kind < 0.4 and len(free) > 1:
            both.step(number, blocking(rng, 0))
        elif kind < 0.5:
            queued = [blocking(rng, 0) if rng.random() < 0.2 else changing(rng) for _ in range(3)]
            both.step(number, ("MULTI",), *queued, ("EXEC",))
        elif kind < 0.6 and both.blocked:
            how = rng.choice([(), ("TIMEOUT",), ("ERROR",)])
            both.step(number, ("CLIENT", "UNBLOCK", ID, *how), target=rng.choice(sorted(both.blocked)))
        elif kind < 0.7:
            both.step(number, changing(rng), changing(rng))
        elif kind < 0.75:
            both.step(number, *storing(rng))
        else:
            both.step(number, changing(rng))


STREAMS = ["s", "t"]


def reading(rng: random.Random) -> Words:
    streams = rng.choices(STREAMS, k=rng.choice([1, 1, 2]))
    count = rng.choice([(), (), ("COUNT", 1), ("COUNT", 2)])
    if rng.random() < 0.5:
        after = [rng.choice(["$", "$", "0", "20", "999"]) for _ in streams]
        return "XREAD", *count, "BLOCK", 0, "STREAMS", *streams, *after
    options = rng.choice([(), (), ("NOACK",)])
    new = [">" for _ in streams]
    return (
        "XREADGROUP",
        "GROUP",
        rng.choice("ggh"),
        rng.choice("cd"),
        *count,
        *options,
        "BLOCK",
        0,
        "STREAMS",
        *streams,
        *new,
    )


def changing_streams(rng: random.Random, numbers: Iterator[int]) -> Words:
    stream, other, group = rng.choice(STREAMS), rng.choice(STREAMS), rng.choice("ggh")
    adding = "XADD", stream, f"{next(numbers)}-1", "f", next(numbers)
    return rng.choice(
        [
            *[adding] * 8,
            *[("XGROUP", "CREATE", stream, group, rng.choice(["$", "0"]), "MKSTREAM")] * 4,
            ("XADD", stream, "MAXLEN", 2, f"{next(numbers)}-1", "f", "v"),
            ("XGROUP", "DESTROY", stream, group),
            ("XGROUP", "SETID", stream, group, rng.choice(["$", "0"])),
            ("XREADGROUP", "GROUP", group, "c", "STREAMS", stream, ">"),
            ("XPENDING", stream, group),
            ("XINFO", "GROUPS", stream),
            ("XTRIM", stream, "MAXLEN", 1),
            ("XRANGE", stream, "-", "+"),
            ("XSETID", stream, f"{next(numbers)}-1"),
            ("DEL", stream),
            ("RENAME", stream, other),
            ("COPY", stream, other, "REPLACE"),
            ("SET", stream, "text"),
            ("RPUSH", stream, "x"),
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_readers_of_streams_get_what_those_of_redis_get(seed: int, both: Both) -> None:
    rng = random.Random(seed)  # noqa: S311 - always the same
    numbers = itertools.count(1)
    for side in (both.redis, both.mine):
        for number in (1, 2, 3):
            side.clients[number]("HELLO", 3)
    for _ in range(300):
        free = [number for number in range(CLIENTS) if number not in both.blocked]
        number = rng.choice(free)
        kind = rng.random()
        if kind < 0.4 and len(free) > 1:
            both.step(number, reading(rng))
        elif kind < 0.5:
            queued = [reading(rng) if rng.random() < 0.2 else changing_streams(rng, numbers) for _ in range(3)]
            both.step(number, ("MULTI",), *queued, ("EXEC",))
        elif kind < 0.55 and both.blocked:
            both.step(number, ("CLIENT", "UNBLOCK", ID), target=rng.choice(sorted(both.blocked)))
        else:
            both.step(number, changing_streams(rng, numbers))


PATIENCE = [
    "0.001",
    "0.0001",
    "-1",
    "abc",
    "",
    "inf",
    "-inf",
    "nan",
    "1e400",
    "9223372036854775807",
    "-0.01",
    "0x1p-10",
]
ODD: list[Words] = [
    *[("BLPOP", "a", text) for text in PATIENCE],
    *[("WAIT", 1, text) for text in ("1", "-1", "abc", "1.5", str(2**63))],
    *[("WAIT", text, 1) for text in ("0", "-1", "abc", "1.5", str(2**63))],
    ("BRPOP", "text", "a", 1),
    ("BRPOP", "a", "text", "x"),
    ("BZPOPMIN", "text", 1),
    ("BLMOVE", "a", "text", "LEFT", "LEFT", "0.001"),
    ("BLMOVE", "text", "a", "LEFT", "LEFT", "0.001"),
    ("BLMOVE", "a", "b", "FOO", "LEFT", "x"),
    ("BLMOVE", "a", "b", "LEFT", "FOO", "x"),
    ("BRPOPLPUSH", "text", "a", "0.001"),
    ("BRPOPLPUSH", "a", "b", "x"),
    ("BLMPOP", "x", 1, "a", "LEFT"),
    ("BLMPOP", "0.001", 0, "a", "LEFT"),
    ("BLMPOP", "0.001", 2, "a", "LEFT"),
    ("BLMPOP", "0.001", 1, "a", "MIN"),
    ("BLMPOP", "0.001", 1, "a", "LEFT", "COUNT", 0),
    ("BLMPOP", "0.001", 1, "a", "LEFT", "COUNT"),
    ("BZMPOP", "0.001", 1, "a", "LEFT"),
    ("BZMPOP", "-1", 1, "a", "MIN"),
    ("BZMPOP", "0.001", 1, "text", "MIN"),
    ("BLPOP", "a"),
    *[("XREAD", "BLOCK", text, "STREAMS", "a", "0") for text in ("1", "-1", "abc", "1.5")],
    ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 1, "STREAMS", "text", ">"),
    ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 1, "STREAMS", "a", ">"),
    ("CLIENT", "UNBLOCK", 0),
    ("CLIENT", "UNBLOCK", "abc"),
    ("CLIENT", "UNBLOCK", 0, "FOO"),
    ("CLIENT", "UNBLOCK", 0, "ERROR", 1),
    ("CLIENT", "UNBLOCK"),
    *[("COMMAND", "GETKEYS", *words) for words in (("BLPOP", "a", "b", 0), ("BLMPOP", 0, 2, "a", "b", "LEFT"))],
    ("COMMAND", "GETKEYS", "BLMOVE", "a", "b", "LEFT", "LEFT", 0),
]


@pytest.mark.parametrize("resp", [2, 3])
def test_time_outs_and_errors_are_those_of_redis(resp: int, both: Both) -> None:
    rng = random.Random(resp)  # noqa: S311 - always the same
    for side in (both.redis, both.mine):
        side.clients[0]("HELLO", resp)
        side.clients[0]("SET", "text", "text")
    for command in [*ODD, *(blocking(rng, "0.001") for _ in range(40))]:
        both.history.append(command)
        for side in (both.redis, both.mine):
            side.clients[0].send(*command)
        both.compare(0)
