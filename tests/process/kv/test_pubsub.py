"""Publish and subscribe over all workers, beside a real redis-server: the same replies, and the same messages."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKERS = 4
BARRIER = b"barrier"
CHANNELS = [b"news", b"news.de", b"nest", b"h[llo", b"\0", b"\r\n"]
PATTERNS = [b"*", b"news*", b"n[e-g]ws", b"n?st", b"h\\[llo", b"news", b"[^n]*"]


@pytest.fixture(scope="module")
def ours() -> Iterator[PoolProcess]:
    with PoolProcess.run(kv_toml(workers=WORKERS)) as running:
        yield running


@pytest.fixture(scope="module")
def redis_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_redis(tmp_path_factory.mktemp("redis")) as path:
        yield path


def client(stack: ExitStack, running: PoolProcess) -> Client:
    return Client(stack.enter_context(connect(running.urls()[0])))


def client_of_redis(stack: ExitStack, path: Path) -> Client:
    sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    sock.settimeout(DEADLINE_S)
    sock.connect(str(path))
    return Client(sock)


def is_barrier(reply: object) -> bool:
    return reply in (BARRIER, [b"pong", BARRIER])


def answers(asked: Client, *words: bytes) -> list[Any]:
    """Return all replies to a command, and the messages that came before the next one's."""
    if words:
        asked.send(*words)
    asked.send(b"PING", BARRIER)
    found: list[Any] = []
    while not found or not is_barrier(found[-1]):
        found.append(plain(asked.receive()))
    return found[:-1]


def plain(reply: object) -> object:
    if isinstance(reply, list):
        return [plain(each) for each in reply]
    return str(reply) if isinstance(reply, Exception) else reply


def messages(asked: Client, count: int) -> list[Any]:
    """Return that many messages: over the bus they may come before or behind the answer to PING."""
    asked.send(b"PING", BARRIER)
    found = [plain(asked.receive()) for _ in range(count + 1)]
    return [each for each in found if not is_barrier(each)]


def read_all(asked: Client) -> None:
    while asked.receive():
        pass


def told_in_any_order(replies: list[Any]) -> list[Any]:
    """Return the confirmations of UNSUBSCRIBE without a name: Redis has its channels in a table of hashes."""
    return [[each[0] for each in replies], sorted(repr(each[1]) for each in replies), [each[2] for each in replies]]


def a_step(rng: random.Random) -> tuple[bytes, ...]:
    names = rng.choices(CHANNELS, k=rng.choice([1, 1, 2, 3]))
    patterns = rng.choices(PATTERNS, k=rng.choice([1, 1, 2]))
    return rng.choice(
        [
            (b"SUBSCRIBE", *names),
            (b"PSUBSCRIBE", *patterns),
            (b"UNSUBSCRIBE", *names),
            (b"PUNSUBSCRIBE", *patterns),
            (b"SSUBSCRIBE", *names),
            (b"SUNSUBSCRIBE", *names),
            (b"SUNSUBSCRIBE", names[0]),
            (b"UNSUBSCRIBE",),
            (b"PUNSUBSCRIBE",),
            (b"RESET",),
            (b"GET", b"a"),
            (b"CLIENT", b"GETNAME"),
            (b"SUBSCRIBE",),
            (b"PUBSUB", b"NUMPAT"),
            (b"PUBSUB", b"NUMSUB", *names),
            (b"PUBSUB", b"SHARDNUMSUB", *names),
            (b"PUBSUB", b"WHAT"),
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_replies_and_messages_are_those_of_redis(seed: int, ours: PoolProcess, redis_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311 - always the same
    with ExitStack() as stack:
        pairs = [(client_of_redis(stack, redis_path), client(stack, ours)) for _ in range(6)]
        publishers = (client_of_redis(stack, redis_path), client(stack, ours))
        for redis, mine in pairs[3:]:
            for each in (redis, mine):
                each(b"HELLO", b"3")
        for number in range(250):
            if rng.random() < 0.5:
                how = rng.choice([b"PUBLISH", b"PUBLISH", b"SPUBLISH"])
                words = (how, rng.choice(CHANNELS), b"message %d" % number)
                reached = publishers[0](*words)
                assert publishers[1](*words) == reached
                for redis, mine in pairs:
                    expected = answers(redis)
                    got = messages(mine, len(expected))
                    # The order of patterns is that of a table of hashes in Redis.
                    assert [each[0] for each in got] == [each[0] for each in expected]
                    assert sorted(got) == sorted(expected)
                continue
            redis, mine = rng.choice(pairs)
            words = a_step(rng)
            expected, got = answers(redis, *words), answers(mine, *words)
            if len(words) == 1 and words[0].endswith(b"UNSUBSCRIBE") and isinstance(expected[0], list):
                expected, got = told_in_any_order(expected), told_in_any_order(got)
            assert got == expected, (number, words)


WRITES, READS = (b"SET", b"written", b"x"), (b"GET", b"written")
IN_TRANSACTIONS: list[list[tuple[bytes, ...]]] = [
    [(b"SUBSCRIBE", b"a", b"b"), WRITES, (b"PSUBSCRIBE", b"n*"), (b"SSUBSCRIBE", b"a")],
    [(b"SUBSCRIBE", b"a", b"b"), READS, (b"PSUBSCRIBE", b"n*", b"a")],
    [(b"SUBSCRIBE", b"a"), (b"UNSUBSCRIBE", b"a"), (b"SSUBSCRIBE", b"s"), (b"SUNSUBSCRIBE",), (b"PUNSUBSCRIBE",)],
    [(b"UNSUBSCRIBE",), WRITES, (b"PUNSUBSCRIBE", b"x"), (b"SUNSUBSCRIBE", b"a", b"b")],
    [(b"SUBSCRIBE", b"a", b"a"), (b"SUBSCRIBE", b"a"), (b"UNSUBSCRIBE", b"a"), (b"SUBSCRIBE", b"c"), WRITES],
]
TRIED = [b"a", b"b", b"c", b"news"]


@pytest.mark.parametrize("durability", ["everysec", "always"])
def test_subscriptions_change_with_a_transaction(
    pool: Callable[[str], PoolProcess], redis_path: Path, durability: str
) -> None:
    running = pool(kv_toml(workers=2, durability=durability))
    told: list[list[object]] = []
    for make in (lambda stack: client_of_redis(stack, redis_path), lambda stack: client(stack, running)):
        told.append([])
        with ExitStack() as stack:
            one, publisher = make(stack), make(stack)
            for protocol in (b"2", b"3"):
                for commands in IN_TRANSACTIONS:
                    one(b"HELLO", protocol)
                    # What follows in the same segment is answered as that of a client with these subscriptions.
                    one.send_all([(b"MULTI",), *commands, (b"EXEC",), (b"GET", b"written")])
                    told[-1].append(answers(one))
                    for channel in TRIED:
                        told[-1] += [publisher(b"PUBLISH", channel, b"x"), publisher(b"SPUBLISH", channel, b"y")]
                    told[-1].append(messages(one, sum(each for each in told[-1][-2 * len(TRIED) :])))  # type: ignore[misc]
                    told[-1].append(plain(one(b"RESET")))
                for end in ((b"DISCARD",), (b"EXEC",)):
                    one(b"HELLO", protocol)
                    one(b"WATCH", b"k")
                    publisher(b"SET", b"k", b"x")
                    one.send_all([(b"MULTI",), WRITES, (b"SUBSCRIBE", b"a"), end])
                    told[-1] += [answers(one), publisher(b"PUBSUB", b"NUMSUB", b"a"), plain(one(b"RESET"))]
    assert told[1] == told[0]


def counts_of_info(asked: Client) -> tuple[int, int]:
    fields = dict(line.split(b":", 1) for line in asked(b"INFO", b"stats").splitlines() if b":" in line)
    return int(fields[b"pubsub_channels"]), int(fields[b"pubsub_patterns"])


def test_channels_are_listed_in_every_worker(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        subscribers = [client(stack, ours) for _ in range(2 * WORKERS)]
        for number, each in enumerate(subscribers):
            assert each(b"SUBSCRIBE", b"listed.%d" % number, b"listed") == [b"subscribe", b"listed.%d" % number, 1]
        asked = [client(stack, ours) for _ in range(WORKERS)]
        names = {b"listed", *(b"listed.%d" % number for number in range(2 * WORKERS))}
        for each in asked:
            wait_until(lambda each=each: set(each(b"PUBSUB", b"CHANNELS", b"listed*")) == names, what="all channels")
            assert each(b"PUBSUB", b"NUMSUB", b"listed", b"x") == [b"listed", 2 * WORKERS, b"x", 0]
            assert each(b"PUBSUB", b"CHANNELS", b"x*") == []
            wait_until(lambda each=each: counts_of_info(each) == (len(names), 0), what="only these channels")
    with ExitStack() as stack:
        asked_late = client(stack, ours)
        wait_until(lambda: asked_late(b"PUBSUB", b"CHANNELS", b"listed*") == [], what="no channel")


def test_what_is_published_behind_a_write_comes_when_that_is_committed(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        listener, reader, writer = (client(stack, ours) for _ in range(3))
        assert listener(b"SUBSCRIBE", b"changed") == [b"subscribe", b"changed", 1]
        for number in range(100):
            writer.send_all([("SET", "k", number), ("PUBLISH", "changed", number)])
            assert listener.receive() == [b"message", b"changed", b"%d" % number]
            assert reader(b"GET", b"k") == b"%d" % number
            assert [writer.receive(), writer.receive()] == [b"OK", 1]


@pytest.mark.parametrize("durability", ["everysec", "always"])
def test_exec_publishes_once_and_only_if_it_is_done(pool: Callable[[str], PoolProcess], durability: str) -> None:
    running = pool(kv_toml(workers=2, durability=durability))
    with ExitStack() as stack:
        listener, writer, other = (client(stack, running) for _ in range(3))
        assert listener(b"PSUBSCRIBE", b"c*") == [b"psubscribe", b"c*", 1]
        writer.send_all([("MULTI",), ("SET", "a", 1), ("PUBLISH", "c1", "x"), ("INCR", "a"), ("EXEC",)])
        assert [writer.receive() for _ in range(5)][-1] == [b"OK", 1, 2]
        assert writer(b"WATCH", b"a") == b"OK"
        assert other(b"SET", b"a", b"2") == b"OK"
        writer.send_all([("MULTI",), ("SET", "a", 1), ("PUBLISH", "c2", "x"), ("EXEC",)])
        assert [writer.receive() for _ in range(4)][-1] is None
        writer.send_all([("MULTI",), ("PUBLISH", "c3", "x"), ("EXEC",), ("PUBLISH", "c4", "x")])
        assert [writer.receive() for _ in range(4)][2:] == [[1], 1]
        assert [listener.receive()[2] for _ in range(3)] == [b"c1", b"c3", b"c4"]


def test_a_subscriber_that_does_not_read_is_disconnected_and_harms_no_other(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        slow, quick, publisher = (client(stack, ours) for _ in range(3))
        for each in (slow, quick):
            assert each(b"SUBSCRIBE", b"much") == [b"subscribe", b"much", 1]
        message = b"x" * 1_000_000
        reached, sent = 2, 0
        while reached == 2:
            reached = publisher(b"PUBLISH", b"much", message)
            sent += 1
            assert quick.receive()[2] == message
            assert sent < 200
        assert publisher(b"PUBSUB", b"NUMSUB", b"much") == [b"much", 1]
        with pytest.raises((EOFError, ConnectionResetError)):
            read_all(slow)
    ours.wait_logged("kv_slow_subscriber")


def test_a_subscriber_stays_in_its_worker_at_a_reload_and_misses_nothing(pool: Callable[[str], PoolProcess]) -> None:
    running = pool(kv_toml(workers=2).replace("[pool]", '[pool]\ndrain_timeout = "5m"'))
    with ExitStack() as stack:
        listener, publisher = (client(stack, running) for _ in range(2))
        assert listener(b"SUBSCRIBE", b"a") == [b"subscribe", b"a", 1]
        running.request("reload")
        for number in range(200):
            assert publisher(b"PUBLISH", b"a", b"%d" % number) == 1
            assert listener.receive() == [b"message", b"a", b"%d" % number]
        assert listener(b"UNSUBSCRIBE") == [b"unsubscribe", b"a", 0]
        assert listener(b"PING") == b"PONG"


def test_limits(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        one = client(stack, ours)
        assert "channel or pattern of more than 4000 bytes" in str(one(b"SUBSCRIBE", b"x" * 4001))
        assert "channel or pattern of more than 4000 bytes" in str(one(b"PSUBSCRIBE", b"x" * 70_000))
        assert "a message of more than 1048576 bytes" in str(one(b"PUBLISH", b"a", b"x" * 1_048_577))
        assert one(b"PUBSUB", b"NUMSUB", b"x" * 5000) == [b"x" * 5000, 0]
        assert one(b"GET", b"a") is None
        one.send(b"SUBSCRIBE", *(b"%d" % number for number in range(10_001)))
        replies = [one.receive() for _ in range(10_001)]
        assert replies[9999] == [b"subscribe", b"9999", 10_000]
        assert "more than 10000 subscriptions" in str(replies[10_000])
