"""Keyspace notifications: the events that a real redis-server has, over all workers, and once each."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from keyspace_events import EVERY, KeyspaceEvents, wait_told
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pools import Pools

WORKERS = 3

STEPS: tuple[tuple[object, ...], ...] = (
    ("SET", "s", "1"),
    ("SET", "s", "2", "EX", "100", "GET"),
    ("SET", "none", "2", "XX", "GET"),
    ("SETNX", "n", "1"),
    ("SETEX", "e", "100", "x"),
    ("PSETEX", "e", "100000", "x"),
    ("GETSET", "g", "x"),
    ("GETDEL", "g"),
    ("GETEX", "e", "PERSIST"),
    ("GETEX", "e", "PERSIST"),
    ("GETEX", "e", "EX", "100"),
    ("GETEX", "e", "PXAT", "1"),
    ("MSET", "a", "1", "b", "2", "a", "3"),
    ("MSETNX", "c", "1", "d", "2"),
    ("MGET", "a", "none"),
    ("APPEND", "ap", "x"),
    ("SETRANGE", "sr", "3", "x"),
    ("SETRANGE", "sr", "3", ""),
    ("INCR", "i"),
    ("DECRBY", "i", "3"),
    ("INCRBYFLOAT", "i", "0.5"),
    ("SETBIT", "bit", "7", "1"),
    ("SETBIT", "bit", "7", "1"),
    ("BITFIELD", "bf", "SET", "u8", "0", "5", "GET", "u8", "0"),
    ("BITFIELD", "bf", "SET", "u8", "0", "5"),
    ("BITFIELD", "bf", "OVERFLOW", "FAIL", "SET", "u1", "100", "-1"),
    ("BITFIELD", "none", "GET", "u8", "0"),
    ("BITOP", "AND", "bo", "bit", "none"),
    ("BITOP", "AND", "bo", "none", "none"),
    ("DEL", "a", "none", "b"),
    ("UNLINK", "c"),
    ("EXPIRE", "d", "100"),
    ("PEXPIRE", "d", "1000000"),
    ("PERSIST", "d"),
    ("PERSIST", "d"),
    ("EXPIREAT", "d", "1"),
    ("RENAME", "s", "s2"),
    ("SET", "s", "x"),
    ("RENAME", "s", "s2"),
    ("RENAMENX", "s2", "s3"),
    ("COPY", "s3", "s4"),
    ("COPY", "s3", "s4", "REPLACE"),
    ("COPY", "none", "s4"),
    ("COPY", "s3", "s4", "DB", "1"),
    ("MOVE", "s3", "2"),
    ("RPUSH", "l", "a", "b", "c", "d", "e", "f"),
    ("LPUSHX", "l", "z"),
    ("LPUSHX", "none", "z"),
    ("LINSERT", "l", "BEFORE", "a", "y"),
    ("LINSERT", "l", "BEFORE", "none", "y"),
    ("LSET", "l", "0", "y"),
    ("LREM", "l", "0", "y"),
    ("LREM", "l", "0", "none"),
    ("LTRIM", "l", "0", "100"),
    ("LPOP", "l"),
    ("RPOP", "l", "2"),
    ("LPOP", "l", "0"),
    ("LMOVE", "l", "l2", "LEFT", "RIGHT"),
    ("LMOVE", "l", "l", "LEFT", "RIGHT"),
    ("RPOPLPUSH", "l2", "l"),
    ("LMPOP", "2", "none", "l", "LEFT", "COUNT", "100"),
    ("RPUSH", "l", "3", "1", "2"),
    ("SORT", "l", "STORE", "l3"),
    ("SORT", "none", "STORE", "l3"),
    ("SORT", "l", "BY", "w*"),
    ("LTRIM", "l", "5", "6"),
    ("BLPOP", "none", "l", "0.01"),
    ("RPUSH", "l", "x"),
    ("BLPOP", "none", "l", "1"),
    ("RPUSH", "l", "x", "y"),
    ("BLMOVE", "l", "l2", "LEFT", "RIGHT", "1"),
    ("BRPOP", "l", "1"),
    ("HSET", "h", "f", "1", "g", "2"),
    ("HSETNX", "h", "f", "1"),
    ("HSETNX", "h", "i", "1"),
    ("HINCRBY", "h", "i", "1"),
    ("HINCRBYFLOAT", "h", "i", "0.5"),
    ("HMSET", "h", "f", "1"),
    ("HGET", "none", "f"),
    ("HGET", "h", "none"),
    ("HDEL", "h", "f", "none"),
    ("HDEL", "h", "none"),
    ("HDEL", "h", "g", "i"),
    ("SADD", "t", "a", "b", "c"),
    ("SADD", "t", "a"),
    ("SMOVE", "t", "t2", "a"),
    ("SMOVE", "t", "t2", "none"),
    ("SREM", "t", "b"),
    ("SADD", "t2", "c"),
    ("SMOVE", "t", "t2", "c"),
    ("SPOP", "t2", "0"),
    ("SPOP", "t2"),
    ("SPOP", "t2", "10"),
    ("SADD", "t", "a", "b", "c"),
    ("SINTERSTORE", "t3", "t", "t"),
    ("SUNIONSTORE", "t3", "t", "none"),
    ("SDIFFSTORE", "t4", "t", "none"),
    ("SDIFFSTORE", "t4", "t", "t"),
    ("SINTERSTORE", "t4", "t", "none"),
    ("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e", "6", "f"),
    ("ZADD", "z", "1", "a"),
    ("ZADD", "z", "XX", "2", "none"),
    ("ZADD", "z", "INCR", "1", "a"),
    ("ZINCRBY", "z", "0", "a"),
    ("ZINCRBY", "z", "1", "a"),
    ("ZREM", "z", "a", "none"),
    ("ZREM", "z", "none"),
    ("ZPOPMIN", "z"),
    ("ZPOPMAX", "z", "1"),
    ("ZPOPMAX", "none", "1"),
    ("ZRANGESTORE", "z2", "z", "0", "-1"),
    ("ZRANGESTORE", "z2", "none", "0", "-1"),
    ("ZUNIONSTORE", "z3", "2", "z", "t"),
    ("ZINTERSTORE", "z3", "2", "z", "none"),
    ("ZDIFFSTORE", "z3", "2", "z", "none"),
    ("ZREMRANGEBYRANK", "z", "0", "0"),
    ("ZREMRANGEBYSCORE", "z", "100", "200"),
    ("ZREMRANGEBYLEX", "z3", "-", "+"),
    ("ZREMRANGEBYSCORE", "z", "-inf", "+inf"),
    ("ZADD", "z", "1", "a", "2", "b"),
    ("ZMPOP", "1", "z", "MIN"),
    ("BZPOPMAX", "z", "1"),
    ("ZADD", "z", "1", "a"),
    ("BZMPOP", "1", "1", "z", "MAX", "COUNT", "5"),
    *(
        (name, "none")
        for name in ("TTL", "TYPE", "EXISTS", "TOUCH", "STRLEN", "DUMP", "LLEN", "SCARD", "ZCARD", "HLEN")
    ),
    ("XADD", "x", "1-1", "f", "v"),
    ("XADD", "x", "MAXLEN", "1", "2-1", "f", "v"),
    ("XADD", "none", "NOMKSTREAM", "2-1", "f", "v"),
    ("XADD", "x", "3-1", "f", "v"),
    ("XTRIM", "x", "MAXLEN", "1"),
    ("XTRIM", "x", "MAXLEN", "5"),
    ("XGROUP", "CREATE", "x", "g", "0"),
    ("XGROUP", "CREATE", "x2", "g", "$", "MKSTREAM"),
    ("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "x", ">"),
    ("XACK", "x", "g", "3-1"),
    ("XGROUP", "CREATECONSUMER", "x", "g", "d"),
    ("XGROUP", "CREATECONSUMER", "x", "g", "d"),
    ("XGROUP", "SETID", "x", "g", "0"),
    ("XGROUP", "DELCONSUMER", "x", "g", "d"),
    ("XGROUP", "DELCONSUMER", "x", "g", "d"),
    ("XGROUP", "DESTROY", "x", "g"),
    ("XDEL", "x", "3-1", "9-9"),
    ("XSETID", "x", "9-1"),
    ("XLEN", "none"),
    ("XREAD", "STREAMS", "none", "x", "none2", "0", "$", "0"),
    ("XREAD", "STREAMS", "none", "none2", "0", "y"),
    ("SET", "text", "1"),
    ("XREAD", "STREAMS", "none", "text", "0", "0"),
    ("XRANGE", "none", "-", "+"),
    ("OBJECT", "ENCODING", "none"),
    ("SINTER", "none", "t", "none"),
    ("ZUNION", "2", "none", "none"),
    ("SELECT", "3"),
    ("SET", "in another database", "x"),
    ("SELECT", "0"),
    ("MULTI",),
    ("SET", "in multi", "x"),
    ("GET", "none"),
    ("EXEC",),
    ("EVAL", "redis.call('set', KEYS[1], 'x'); return redis.call('get', 'none')", "1", "by a script"),
    ("FLUSHALL",),
)
"""Each command that writes, and what can come of it."""


@pytest.fixture(scope="module")
def redis_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running_redis(tmp_path_factory.mktemp("redis"), "--notify-keyspace-events", EVERY) as path:
        yield path


@pytest.fixture(scope="module", params=["lmdb", "memory", "always"])
def ours(request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    options: dict[str, Any] = {
        "lmdb": {"workers": WORKERS},
        "memory": {"workers": 1, "store": "memory:"},
        "always": {"workers": 2, "durability": "always"},
    }[request.param]
    with PoolProcess.run(kv_toml(notify_keyspace_events=EVERY, **options)) as running:
        yield running


def client(stack: ExitStack, running: PoolProcess) -> Client:
    return Client(stack.enter_context(connect(running.urls()[0])))


def client_of_redis(stack: ExitStack, path: Any) -> Client:
    sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    sock.settimeout(DEADLINE_S)
    sock.connect(str(path))
    return Client(sock)


def plain(reply: object) -> object:
    return str(reply) if isinstance(reply, Exception) else reply


def test_events_are_those_of_redis(ours: PoolProcess, redis_path: Any) -> None:
    with ExitStack() as stack:
        writers = [client_of_redis(stack, redis_path), client(stack, ours)]
        heard = [KeyspaceEvents(client_of_redis(stack, redis_path)), KeyspaceEvents(client(stack, ours))]
        for writer in writers:
            writer("FLUSHALL")
        in_multi = False
        for step in STEPS:
            replies = [plain(writer(*step)) for writer in writers]
            in_multi = (in_multi or step == ("MULTI",)) and step != ("EXEC",)
            if step[0] != "SPOP":
                assert replies[0] == replies[1], step
            if not in_multi:
                expected, got = (each.until_now(writer) for each, writer in zip(heard, writers, strict=True))
                assert got == expected, step
        for writer, events in zip(writers, heard, strict=True):
            writer("SET", "d", "x")
            dumped = writer("DUMP", "d")
            events.until_now(writer)
            for words in (("RESTORE", "r", 0), ("RESTORE", "r", 100_000), ("RESTORE", "r", 1)):
                options = () if words[2] == 0 else ("REPLACE", "ABSTTL") if words[2] == 1 else ("REPLACE",)
                assert writer(*words, dumped, *options) == b"OK"
        expected, got = (each.until_now(writer) for each, writer in zip(heard, writers, strict=True))
        assert len(expected) > 8
        assert got == expected


def test_clients_that_wait_are_served_with_the_events_of_redis(ours: PoolProcess, redis_path: Any) -> None:
    makes: list[Callable[[ExitStack], Client]] = [
        lambda stack: client_of_redis(stack, redis_path),
        lambda stack: client(stack, ours),
    ]
    told: list[list[tuple[bytes, bytes]]] = []
    for make in makes:
        with ExitStack() as stack:
            writer, waiting, moving = (make(stack) for _ in range(3))
            asked = {field(each("INFO", "server"), b"worker_slot"): each for each in map(make, [stack] * 2 * WORKERS)}
            writer("FLUSHALL")
            events = KeyspaceEvents(make(stack))
            waiting.send("BLPOP", "w", "0")
            wait_blocked(list(asked.values()), 1)
            moving.send("BLMOVE", "w", "w2", "RIGHT", "LEFT", "0")
            wait_blocked(list(asked.values()), 2)
            writer("RPUSH", "w", "a", "b")
            waiting.receive()
            moving.receive()
            told.append(events.until_now(writer))
    assert told[1] == told[0]


def field(text: bytes, name: bytes) -> bytes:
    return text.partition(name + b":")[2].partition(b"\r\n")[0]


def wait_blocked(asked: list[Client], number: int) -> None:
    """Wait until clients are blocked, in whichever workers."""
    wait_until(
        lambda: asked[0]("CLIENT", "LIST").count(b" flags=b") == number,
        what=f"{number} blocked clients",
    )


def test_each_key_expires_once_over_all_workers(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        writers = [client(stack, ours) for _ in range(2 * WORKERS)]
        hearing = client(stack, ours)
        hearing("PSUBSCRIBE", "__keyevent@*__:expired")
        for number in range(300):
            writers[number % len(writers)]("SELECT", number % 2)
            writers[number % len(writers)]("SET", f"key{number}", "x", "PX", 1 + number % 50)
        found: Counter[tuple[bytes, bytes]] = Counter()
        while sum(found.values()) < 300:
            _, _, channel, key = hearing.receive()
            found[channel, key] += 1
        writers[0]("SET", "last", "x", "PX", 1)
        assert hearing.receive()[3] == b"last", "nothing came twice"
        assert set(found.values()) == {1}
        assert (b"__keyevent@1__:expired", b"key1") in found


def test_an_expired_key_that_is_overwritten_has_expired_first(pool: Pools, clock: Any) -> None:
    # The sweeper runs in slot 0 each tenth of a second by a clock that the test does not move; a write is quicker.
    running = pool(kv_toml(workers=2, notify_keyspace_events="Kx$n"), environment=clock.environment)
    with ExitStack() as stack:
        writer, hearing = client(stack, running), client(stack, running)
        hearing("PSUBSCRIBE", "__key*")
        told = []
        for number in range(20):
            writer("SET", f"k{number}", "x", "PX", "5")
            clock.advance(1)
            writer("SET", f"k{number}", "y")
            told += [hearing.receive()[3] for _ in range(5)]
        assert told == [b"new", b"set", b"expired", b"new", b"set"] * 20


def test_what_is_not_committed_has_no_events(ours: PoolProcess) -> None:
    with ExitStack() as stack:
        writer, other = client(stack, ours), client(stack, ours)
        events = KeyspaceEvents(client(stack, ours))
        writer("WATCH", "watched")
        other("SET", "watched", "x")
        events.until_now(other)
        writer.send_all([("MULTI",), ("SET", "a", "1"), ("EXEC",)])
        assert [writer.receive() for _ in range(3)][-1] is None
        writer("CONFIG", "SET", "busy-reply-threshold", "50")
        void = "redis.call('set', 'b', 'x'); while true do end"
        assert "timed out" in str(writer("EVAL", void, "0"))
        writer("CONFIG", "SET", "busy-reply-threshold", "5000")
        assert events.until_now(writer) == []


def test_config_set_reaches_all_workers_and_off_is_off(pool: Pools) -> None:
    running = pool(kv_toml(workers=2))
    with ExitStack() as stack:
        clients = [client(stack, running) for _ in range(4)]
        events = KeyspaceEvents(client(stack, running))
        assert clients[0]("CONFIG", "GET", "notify-keyspace-events") == [b"notify-keyspace-events", b""]
        clients[0]("SET", "before", "x")
        assert "Invalid event class" in str(clients[0]("CONFIG", "SET", "notify-keyspace-events", "KQ"))
        for asked, shown, key in (("E$", "$E", b"event"), ("gK$xE", "g$xKE", b"both"), ("AK", "AK", b"space")):
            assert clients[0]("CONFIG", "SET", "notify-keyspace-events", asked) == b"OK"
            wait_told(clients, shown)
            for each in clients:
                each("SET", key, "x")
                each("LPUSH", b"list", "x")
                got = [
                    (channel.partition(b"@")[0], channel.partition(b":")[2], message)
                    for channel, message in events.until_now(each)
                ]
                expected = [(b"__keyspace", key, b"set")] if "K" in asked else []
                expected += [(b"__keyevent", b"set", key)] if "E" in asked else []
                expected += [(b"__keyspace", b"list", b"lpush")] if "A" in asked else []
                assert got == expected
        clients[0]("CONFIG", "SET", "notify-keyspace-events", "")
        wait_told(clients, "")
        clients[1]("SET", "after", "x")
        assert events.until_now(clients[1]) == []


def test_the_option_is_checked_and_listeners_of_one_store_have_events_in_common(pool: Pools, tmp_path: Any) -> None:
    toml = kv_toml(store=f"lmdb:{tmp_path}/data", notify_keyspace_events="KE$")
    second = '[[listener]]\nname = "plain"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "kv"\n'
    running = pool(toml + f'{second}options = {{ store = "lmdb:{tmp_path}/data" }}\n')
    with ExitStack() as stack:
        one, two = (Client(stack.enter_context(connect(url))) for url in running.urls())
        events = KeyspaceEvents(Client(stack.enter_context(connect(running.urls()[1]))))
        for writer in (one, two):
            writer("SET", "k", "x")
            assert events.until_now(writer) == [(b"__keyspace@0__:k", b"set"), (b"__keyevent@0__:set", b"k")]
