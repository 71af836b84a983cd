"""Every reply is what a real redis-server answers, over random sequences of commands.

One difference is by design and kept out of the sequences: a watched key that did not exist, came and went counts as
unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hiredis
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kv_client import kv_toml
from kv_words import one_of, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Clock
    from kv_client import Client
    from kv_words import Words

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

KEY = st.sampled_from(["a", "b", "c", "", "long" * 20])
VALUE = st.sampled_from(
    [
        "",
        "1",
        "-5",
        "10",
        "abc",
        "hello world",
        "3.5",
        str(2**63 - 1),
        "x" * 100,
        "\0ÿ",
        "1e3",
        " 1",
        "01",
        "inf",
        "0.1",
    ]
)
INTEGER = st.sampled_from(
    ["0", "1", "-1", "5", "100", "abc", str(2**63 - 1), str(-(2**63)), str(2**63), "1.5", "", "9999999999999999999"]
)
TIME = st.sampled_from(["100", "1000000", "-1", "0", "abc", str(2**63 - 1), "9999999999", "99999999999999"])
FLOAT = st.sampled_from(["0.1", "-1.5", "abc", "inf", "1e10", "5", " 1", "1e400", "-0", "3.0e-5"])


EXPIRY = st.one_of(
    st.just(()),
    words("EX", TIME),
    words("PX", TIME),
    one_of(("EXAT", "99999999999"), ("PXAT", "9999999999999"), ("EX",)),
)
FLAGS = st.lists(st.sampled_from(["NX", "XX", "GET", "KEEPTTL"]), max_size=2, unique=True).map(tuple)

COMMAND = st.one_of(
    words("GET", KEY),
    words("SET", KEY, VALUE),
    words("SET", KEY, VALUE, FLAGS, EXPIRY),
    words("SETNX", KEY, VALUE),
    words(st.sampled_from(["SETEX", "PSETEX"]), KEY, TIME, VALUE),
    words("GETSET", KEY, VALUE),
    words(st.sampled_from(["GETDEL", "STRLEN", "INCR", "DECR", "TYPE", "UNLINK", "PERSIST", "EXPIRETIME", "TTL"]), KEY),
    words("GETEX", KEY, st.one_of(one_of((), ("PERSIST",), ("PX", "100000"), ("FOO",)), words("EX", TIME))),
    words(st.sampled_from(["MGET", "DEL", "EXISTS", "TOUCH", "RENAME", "RENAMENX"]), KEY, KEY),
    words(st.sampled_from(["MSET", "MSETNX"]), KEY, VALUE, KEY, VALUE),
    words("MSET", KEY, VALUE, KEY),
    words("APPEND", KEY, VALUE),
    words(st.sampled_from(["GETRANGE", "SUBSTR"]), KEY, INTEGER, INTEGER),
    words("SETRANGE", KEY, st.sampled_from(["0", "1", "-1", "5", "abc", "536870912"]), VALUE),
    words(st.sampled_from(["INCRBY", "DECRBY"]), KEY, INTEGER),
    words("INCRBYFLOAT", KEY, FLOAT),
    words("LCS", KEY, KEY, one_of((), ("LEN",), ("IDX",), ("IDX", "MINMATCHLEN", "2", "WITHMATCHLEN"), ("LEN", "IDX"))),
    words("COPY", KEY, KEY, one_of((), ("REPLACE",), ("DB", "0"), ("DB", "99"), ("FOO",))),
    words(
        st.sampled_from(["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]),
        KEY,
        TIME,
        one_of((), ("NX",), ("XX",), ("GT",), ("LT",), ("NX", "GT"), ("GT", "LT"), ("FOO",)),
    ),
    one_of(("MULTI",), ("EXEC",), ("DISCARD",), ("UNWATCH",), ("DBSIZE",), ("RESET",), ("FLUSHALL", "FOO")),
    one_of(("FOO", "bar", "baz"), ("GET",), ("PING",), ("PING", "x"), ("PING", "x", "y"), ("ECHO", "hi"), ("ECHO",)),
    one_of(
        ("SELECT", "0"),
        ("SELECT", "99"),
        ("SELECT", "abc"),
        ("AUTH", "x"),
        ("SCAN", "abc"),
        ("SCAN", "0", "COUNT", "0"),
    ),
    one_of(
        ("CLIENT", "GETNAME"), ("CLIENT", "SETNAME", "me"), ("CLIENT", "SETNAME", "a b"), ("HELLO", "4"), ("HELLO", "x")
    ),
)


GROWING = COMMAND.filter(lambda command: command[0] != "LCS")
"""Over and over, values grow beyond what our LCS takes (its time is their product)."""


def comparable(reply: Any) -> Any:
    if isinstance(reply, hiredis.ReplyError):
        return f"error: {reply}"
    return [comparable(part) for part in reply] if isinstance(reply, list) else reply


ADVANCE_WORDS = "advance the clock by"
ADVANCE = st.tuples(
    st.just(ADVANCE_WORDS), st.sampled_from(["0.001", "0.099", "0.1", "1", "99", "100", "1000", "1000001"])
)


def test_replies_are_those_of_redis(
    kv_by_the_clock: PoolProcess, clients: Callable[[PoolProcess], Client], redis_server: Client, clock: Clock
) -> None:
    ours = clients(kv_by_the_clock)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(COMMAND, COMMAND, COMMAND, ADVANCE), min_size=1, max_size=40))
    @example([("SET", "a", "inf"), ("INCRBYFLOAT", "a", "abc"), ("INCRBYFLOAT", "a", "inf"), ("INCRBYFLOAT", "a", "1")])
    def check(commands: list[Words]) -> None:
        for server in (redis_server, ours):
            server("RESET")
            server("FLUSHALL")
        for command in commands:
            if command[0] == ADVANCE_WORDS:
                clock.advance(float(command[1]))
                continue
            expected, got = comparable(redis_server(*command)), comparable(ours(*command))
            assert got == expected, f"{command}: {got!r} instead of {expected!r}"

    check()


@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_pipelines_are_answered_as_by_redis(
    pool: Pools, clients: Callable[[PoolProcess], Client], redis_server: Client, clock: Clock, durability: str
) -> None:
    ours = clients(pool(kv_toml(durability=durability), environment=clock.environment))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(GROWING, min_size=1, max_size=60), st.integers(1, 40))
    def check(commands: list[Words], times: int) -> None:
        # Over and over, so that some of it waits for a commit while the rest arrives.
        commands = [("RESET",), ("FLUSHALL",), *commands * times]
        for server in (redis_server, ours):
            server.send_all(commands)
        for command in commands:
            expected, got = comparable(redis_server.receive()), comparable(ours.receive())
            assert got == expected, f"{command}: {got!r} instead of {expected!r}"

    check()


def test_a_key_lives_to_the_end_of_its_last_millisecond(
    kv_by_the_clock: PoolProcess, clients: Callable[[PoolProcess], Client], redis_server: Client, clock: Clock
) -> None:
    servers = (redis_server, clients(kv_by_the_clock))
    last = str(clock.now_ms + 100_000)
    begin = [("SET", "a", "x", "EX", "100"), ("SET", "b", "x", "PX", "100001"), ("SET", "c", "x"), ("SET", "d", "x")]
    then = [("GET", "a"), ("MGET", "a", "b"), ("PTTL", "a"), ("TTL", "b"), ("EXPIREAT", "c", last[:-3]), ("GET", "c")]
    then += [("GETEX", "d", "PXAT", last), ("GET", "d"), ("SET", "e", "x", "PXAT", last), ("GET", "e"), ("EXISTS", "a")]
    for command in begin:
        assert [server(*command) for server in servers] == [b"OK", b"OK"]
    for step in (99.999, 0.001, 0.001, 0.001):
        clock.advance(step)
        for command in then:
            expected, got = (server(*command) for server in servers)
            assert got == expected, f"{command} {step}: {got!r} instead of {expected!r}"


def test_keys_and_scan_find_what_redis_finds(
    kv: PoolProcess, clients: Callable[[PoolProcess], Client], redis_server: Client
) -> None:
    ours = clients(kv)
    for number in range(500):
        for server in (redis_server, ours):
            server("SET", f"{number % 7}:{number}", "x")
    for pattern in ("*", "3:*", "?:1?", "[1-3]:*5", "[^0]:*", "a*", "", "*:*9*", "\\1:*", "[", "1:[", "*[0-4"):
        assert sorted(ours("KEYS", pattern)) == sorted(redis_server("KEYS", pattern)), pattern

    found: set[bytes] = set()
    cursor = b"0"
    while True:
        cursor, keys = ours("SCAN", cursor, "COUNT", "7", "MATCH", "[12]:*")
        found.update(keys)
        if cursor == b"0":
            break
    assert sorted(found) == sorted(redis_server("KEYS", "[12]:*"))
    assert ours("SCAN", "0", "TYPE", "list", "COUNT", "1000") == [b"0", []]
