"""Commands on hashes, lists, sets and sorted sets are answered as by a real redis-server, in RESP2 and RESP3, and
have its events of keys.

Members of sets and fields of hashes have no order: replies with them are sorted. Random ones are compared by shape.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keyspace_events import EVERY, KeyspaceEvents
from kv_client import Client, kv_toml
from kv_words import one_of, some, words
from resp_replies import TaggedClient, in_order, shape
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Clock
    from kv_words import Words
    from resp_replies import Tagged

KEY = st.sampled_from(["a", "a", "a", "a", "b", "b", "b", "string", "none"])
FIELD = st.sampled_from(["f", "g", "h", "", "1", "long" * 200, "long" * 200 + "er"])
VALUE = st.sampled_from(
    ["", "1", "-5", "abc", "3.5", str(2**63 - 1), "x" * 1000, "\0ÿ", "0x10", "inf", " 1", "01", "0"]
)
INTEGER = st.sampled_from(["0", "1", "-1", "2", "-2", "5", "-100", "abc", str(2**63 - 1), str(-(2**63)), "1.5", ""])
FLOAT = st.sampled_from(["0.1", "-1.5", "abc", "inf", "-inf", "nan", "1e10", "5", " 1", "0", "3.0e-5", "1e308"])
FIELDS = st.lists(st.tuples(FIELD, VALUE), min_size=1, max_size=3).map(lambda pairs: tuple(sum(pairs, ())))

HASHES = (
    words("HSET", KEY, FIELDS),
    words("HSET", KEY, FIELDS),
    words(st.sampled_from(["HSET", "HMSET"]), KEY, some("f", "g", "1", at_least=1)),
    words(st.sampled_from(["HGET", "HDEL", "HEXISTS", "HSTRLEN", "HSETNX"]), KEY, FIELD),
    words("HSETNX", KEY, FIELD, VALUE),
    words(st.sampled_from(["HMGET", "HDEL"]), KEY, some("f", "g", "h", "1", at_least=1)),
    words(st.sampled_from(["HGETALL", "HKEYS", "HVALS", "HLEN", "HRANDFIELD"]), KEY),
    words("HINCRBY", KEY, FIELD, INTEGER),
    words("HINCRBYFLOAT", KEY, FIELD, FLOAT),
    words("HRANDFIELD", KEY, INTEGER.filter(lambda text: len(text) < 10), one_of((), ("WITHVALUES",), ("FOO",))),
    words("HSCAN", KEY, one_of(("0",), ("abc",), ("0", "COUNT", "100"), ("0", "COUNT", "0"), ("0", "MATCH", "[fg]"))),
)

INDEX = st.sampled_from(["0", "1", "-1", "2", "-2", "5", "-5", "100", "-100"])
NUMBERS = st.one_of(INDEX, INDEX, INTEGER)
END = st.sampled_from(["LEFT", "RIGHT", "left", "FOO"])
ELEMENT = st.sampled_from(["x", "y", "z", "", "1", "x" * 1000])
LISTS = (
    words(st.sampled_from(["LPUSH", "RPUSH"]), KEY, some("x", "y", "z", "", at_least=1, at_most=5)),
    words(st.sampled_from(["LPUSH", "RPUSH"]), KEY, some("x", "y", "z", "", at_least=1, at_most=5)),
    words(st.sampled_from(["LPUSHX", "RPUSHX"]), KEY, some("x", "y", at_least=1)),
    words(st.sampled_from(["LPOP", "RPOP", "LLEN"]), KEY),
    words(st.sampled_from(["LPOP", "RPOP"]), KEY, NUMBERS),
    words("LINDEX", KEY, NUMBERS),
    words("LSET", KEY, NUMBERS, ELEMENT),
    words(st.sampled_from(["LRANGE", "LRANGE", "LTRIM"]), KEY, NUMBERS, NUMBERS),
    words("LINSERT", KEY, st.sampled_from(["BEFORE", "AFTER", "FOO"]), ELEMENT, ELEMENT),
    words("LREM", KEY, NUMBERS, ELEMENT),
    words("LPOS", KEY, ELEMENT, st.one_of(st.just(()), words("RANK", NUMBERS)), one_of((), ("MAXLEN", "2"), ("FOO",))),
    words("LPOS", KEY, ELEMENT, words("COUNT", NUMBERS), one_of((), ("RANK", "2"), ("RANK", "-1", "MAXLEN", "3"))),
    words("LMOVE", KEY, KEY, END, END),
    words("RPOPLPUSH", KEY, KEY),
    words("LMPOP", st.sampled_from(["1", "2", "0", "a", "5"]), KEY, KEY, END),
    words("LMPOP", "2", KEY, KEY, END, words(st.sampled_from(["COUNT", "FOO"]), NUMBERS)),
    words("COMMAND", "GETKEYS", "LMPOP", st.sampled_from(["1", "2", "0", "a", "5"]), KEY, KEY, "LEFT"),
)

MEMBERS = some("x", "y", "z", "", "1", "2", "w" * 1000, at_least=1, at_most=5)
NUMBER = st.sampled_from(["1", "2", "0", "a", "5"])
SETS = (
    *[words("SADD", KEY, MEMBERS)] * 3,
    words(st.sampled_from(["SREM", "SMISMEMBER"]), KEY, MEMBERS),
    words(st.sampled_from(["SCARD", "SMEMBERS", "SRANDMEMBER", "SPOP"]), KEY),
    words(st.sampled_from(["SISMEMBER", "SREM"]), KEY, ELEMENT),
    words("SMOVE", KEY, KEY, ELEMENT),
    words("SRANDMEMBER", KEY, INTEGER.filter(lambda text: len(text) < 10), one_of((), ("FOO",))),
    words("SPOP", KEY, st.sampled_from(["0", "-1", "100", "a", str(2**63 - 1)]), one_of((), ("FOO",))),
    words(st.sampled_from(["SUNION", "SINTER", "SDIFF"]), st.lists(KEY, min_size=1, max_size=3).map(tuple)),
    words(
        st.sampled_from(["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"]), st.lists(KEY, min_size=2, max_size=4).map(tuple)
    ),
    words("SINTERCARD", NUMBER, KEY, KEY, one_of((), ("LIMIT", "1"), ("LIMIT", "-1"), ("LIMIT",), ("FOO", "1"))),
    words("SSCAN", KEY, one_of(("0",), ("abc",), ("0", "COUNT", "100"), ("0", "COUNT", "0"), ("0", "MATCH", "[xy]"))),
    words("COMMAND", "GETKEYS", "SINTERCARD", NUMBER, KEY, KEY),
)

SCORE = st.sampled_from(["0", "1", "2", "2", "-1", "3.5", "inf", "-inf", "1e3", "0x10", "abc", "nan", "0.1", "1e400"])
GOOD_SCORE = st.sampled_from(["0", "1", "2", "-1", "3.5", "0.1", "1e3"])
SCORED = st.lists(st.tuples(GOOD_SCORE, ELEMENT), min_size=1, max_size=5).map(lambda pairs: sum(pairs, ()))
ADDING = some("NX", "XX", "CH", "GT", "LT", "INCR", at_most=2)
SCORE_BOUND = st.sampled_from(["0", "1", "(1", "2", "(2", "-inf", "+inf", "inf", "(", "", " 1", "abc", "(0.1", "3.5"])
LEX_BOUND = st.sampled_from(["-", "+", "[x", "(x", "[y", "(y", "[", "(", "x", "", "[z", "(zz"])
LIMIT = st.one_of(st.just(()), st.just(()), words("LIMIT", NUMBERS, NUMBERS), one_of(("LIMIT",), ("LIMIT", "1")))
SCORES = one_of((), (), ("WITHSCORES",), ("FOO",), ("withscores", "REV"))
BY_SCORE = words(SCORE_BOUND, SCORE_BOUND)
SORTED_SETS = (
    *[words("ZADD", KEY, SCORED)] * 4,
    words("ZADD", KEY, ADDING, SCORED),
    words("ZADD", KEY, ADDING, SCORE, ELEMENT, one_of((), (), ("1",))),
    words("ZINCRBY", KEY, SCORE, ELEMENT),
    words(st.sampled_from(["ZREM", "ZMSCORE"]), KEY, some("x", "y", "z", "", at_least=1)),
    words(st.sampled_from(["ZCARD", "ZRANDMEMBER", "ZPOPMIN", "ZPOPMAX"]), KEY),
    words(st.sampled_from(["ZPOPMIN", "ZPOPMAX"]), KEY, NUMBERS, one_of((), (), ("1",))),
    words(st.sampled_from(["ZSCORE", "ZRANK", "ZREVRANK"]), KEY, ELEMENT),
    words(st.sampled_from(["ZRANGE", "ZREVRANGE"]), KEY, NUMBERS, NUMBERS, SCORES),
    words("ZRANGE", KEY, NUMBERS, NUMBERS, "REV", SCORES, LIMIT),
    words(st.sampled_from(["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]), KEY, BY_SCORE, SCORES, LIMIT),
    words(
        st.sampled_from(["ZRANGE", "ZRANGE", "ZCOUNT"]), KEY, BY_SCORE, "BYSCORE", one_of((), ("REV",)), LIMIT, SCORES
    ),
    words(st.sampled_from(["ZCOUNT", "ZREMRANGEBYSCORE"]), KEY, BY_SCORE),
    words("ZREMRANGEBYRANK", KEY, NUMBERS, NUMBERS),
    words("ZRANGESTORE", KEY, KEY, NUMBERS, NUMBERS, one_of((), ("REV",), ("WITHSCORES",))),
    words("ZRANGESTORE", KEY, KEY, BY_SCORE, "BYSCORE", one_of((), ("REV",)), LIMIT),
    words("ZMPOP", NUMBER, KEY, KEY, st.sampled_from(["MIN", "MAX", "FOO"])),
    words("ZMPOP", "2", KEY, KEY, "MAX", "COUNT", NUMBERS),
    words("ZRANDMEMBER", KEY, INTEGER.filter(lambda text: len(text) < 10), SCORES),
    words("ZSCAN", KEY, one_of(("0",), ("abc",), ("0", "COUNT", "100"), ("0", "COUNT", "0"), ("0", "MATCH", "[xy]"))),
)
WEIGHTS = st.one_of(st.just(()), words("WEIGHTS", SCORE, SCORE), words("WEIGHTS", SCORE))
AGGREGATE = one_of((), (), ("AGGREGATE", "MIN"), ("AGGREGATE", "max"), ("AGGREGATE", "SUM"), ("AGGREGATE", "FOO"))
SORTED_OPERATIONS = (
    *[words("ZADD", KEY, SCORED)] * 6,
    words("ZADD", KEY, st.sampled_from(["inf", "-inf"]), ELEMENT),
    *[words("SADD", KEY, MEMBERS)] * 2,
    words(st.sampled_from(["ZUNION", "ZINTER"]), "2", KEY, KEY, WEIGHTS, AGGREGATE, SCORES),
    words("ZDIFF", "2", KEY, KEY, one_of((), (), ("WEIGHTS", "1", "2"), ("AGGREGATE", "MIN")), SCORES),
    words(st.sampled_from(["ZUNION", "ZINTER", "ZDIFF"]), NUMBER, KEY, KEY, KEY, SCORES),
    words(st.sampled_from(["ZUNIONSTORE", "ZINTERSTORE"]), KEY, "2", KEY, KEY, WEIGHTS, AGGREGATE),
    words("ZDIFFSTORE", KEY, NUMBER, KEY, KEY),
    words("ZINTERCARD", NUMBER, KEY, KEY, one_of((), ("LIMIT", "1"), ("LIMIT", "-1"), ("LIMIT",), ("FOO", "1"))),
    words("COMMAND", "GETKEYS", st.sampled_from(["ZUNION", "ZMPOP"]), NUMBER, KEY, KEY, "x"),
    words("COMMAND", "GETKEYS", "ZUNIONSTORE", KEY, NUMBER, KEY, KEY),
)
LEX = (
    *[words("ZADD", KEY, words("1", ELEMENT), words("1", ELEMENT), words("1", ELEMENT))] * 4,
    words(st.sampled_from(["ZRANGEBYLEX", "ZREVRANGEBYLEX"]), KEY, LEX_BOUND, LEX_BOUND, LIMIT),
    words("ZRANGEBYLEX", KEY, LEX_BOUND, LEX_BOUND, "WITHSCORES"),
    words("ZRANGE", KEY, LEX_BOUND, LEX_BOUND, "BYLEX", one_of((), ("REV",)), LIMIT),
    words(st.sampled_from(["ZLEXCOUNT", "ZREMRANGEBYLEX"]), KEY, LEX_BOUND, LEX_BOUND),
    words("ZRANGESTORE", KEY, KEY, LEX_BOUND, LEX_BOUND, "BYLEX", one_of((), ("REV",)), LIMIT),
)

OFFSET = st.sampled_from(["0", "1", "7", "8", "9", "100", "-1", "a", "4294967296", "#1"])
BIT_RANGE = st.one_of(
    st.just(()),
    words(NUMBERS),
    words(NUMBERS, NUMBERS),
    words(NUMBERS, NUMBERS, st.sampled_from(["BIT", "byte", "FOO"])),
)
FIELD_TYPE = st.sampled_from(["u1", "i1", "u8", "i8", "i5", "u7", "i64", "u63", "u64", "i65", "x8", "u0", "U3"])
AMOUNT = st.one_of(INTEGER, st.sampled_from(["255", "127", "-128", "100"]))
BIT_KEY = st.sampled_from(["a", "a", "a", "b", "b", "string", "none"])
STEP = st.one_of(
    words("GET", FIELD_TYPE, OFFSET),
    words("SET", FIELD_TYPE, OFFSET, AMOUNT),
    words("INCRBY", FIELD_TYPE, OFFSET, AMOUNT),
    words("OVERFLOW", st.sampled_from(["WRAP", "SAT", "fail", "FOO"])),
    one_of(("FOO",), ("GET", "u8")),
)
BITS = (
    words("SET", BIT_KEY, st.sampled_from(["", "a", "abc", "\0\0", "\0", "\x7f\x7f"])),
    words("SETBIT", BIT_KEY, OFFSET, st.sampled_from(["0", "1", "1", "2"])),
    words("SETBIT", BIT_KEY, st.sampled_from(["0", "3", "9", "30"]), st.sampled_from(["0", "1"])),
    words("GETBIT", BIT_KEY, OFFSET),
    words("BITCOUNT", BIT_KEY, BIT_RANGE),
    words("BITPOS", BIT_KEY, st.sampled_from(["0", "1", "2", "a"]), BIT_RANGE),
    words(
        "BITOP",
        st.sampled_from(["AND", "or", "XOR", "NOT", "FOO"]),
        BIT_KEY,
        BIT_KEY,
        st.one_of(st.just(()), words(BIT_KEY)),
    ),
    words("BITFIELD", BIT_KEY, st.lists(STEP, max_size=4).map(lambda steps: sum(steps, ()))),
    words("BITFIELD_RO", BIT_KEY, words("GET", FIELD_TYPE, OFFSET), st.one_of(st.just(()), STEP)),
    words("RPUSH", "b", "x"),
)
BY = one_of((), (), ("BY", "w*"), ("BY", "h*->f"), ("BY", "nosort"), ("BY", "*"))
GET = one_of((), (), ("GET", "#"), ("GET", "w*", "GET", "#"), ("GET", "h*->f"), ("GET", "x"), ("GET", "h*->"))


def has_one_order(command: Words) -> bool:
    """Return whether SORT has one right order also for a set: members whose weights are the same text have none."""
    if "nosort" in command:
        return "STORE" in command
    return not {"BY", "ALPHA"} <= set(command)


SORTING = (
    words("RPUSH", KEY, some("1", "2", "10", "3.5", "-1", at_least=1, at_most=5)),
    words("RPUSH", KEY, some("x", "1", "y", at_least=1)),
    words("SADD", KEY, some("1", "2", "10", "3", at_least=1)),
    words("ZADD", KEY, "5", "1", "3", "2", "1", "10"),
    words("SET", st.sampled_from(["w1", "w2", "w10", "w3.5"]), st.sampled_from(["5", "4", "a", "0.5"])),
    words("HSET", st.sampled_from(["h1", "h2", "h10", "w2"]), "f", st.sampled_from(["5", "4", "a", "0.5"])),
    *[
        words(
            st.sampled_from(["SORT", "SORT", "SORT_RO"]),
            KEY,
            BY,
            one_of((), ("ASC",), ("DESC",)),
            GET,
            one_of((), (), ("ALPHA",)),
            one_of((), ("LIMIT", "0", "2"), ("LIMIT", "1", "-1"), ("LIMIT", "-1", "1"), ("LIMIT", "a", "b"), ("FOO",)),
            one_of((), (), ("STORE", "b")),
        ).filter(has_one_order)
    ]
    * 4,
    words("LRANGE", "b", "0", "-1"),
    words("OBJECT", st.sampled_from(["ENCODING", "REFCOUNT", "FREQ"]), "absent"),
    words("OBJECT", "FREQ", KEY),
    words("MEMORY", "USAGE", "absent", one_of((), ("SAMPLES", "5"), ("SAMPLES", "a"), ("SAMPLES", "-1"), ("FOO",))),
    one_of(
        ("OBJECT",),
        ("OBJECT", "FOO"),
        ("MEMORY", "USAGE"),
        ("OBJECT", "ENCODING"),
        ("COMMAND", "GETKEYS", "SORT", "a", "STORE", "b"),
    ),
)
DATABASE = st.sampled_from(["0", "1", "1", "15", "16", "-1", "x"])
DATABASES = (
    *[words("SELECT", DATABASE)] * 3,
    words(st.sampled_from(["RPUSH", "SADD", "APPEND"]), KEY, ELEMENT),
    words("ZADD", KEY, "1", ELEMENT),
    words("MOVE", KEY, DATABASE),
    words("COPY", KEY, KEY, "DB", DATABASE, one_of((), ("REPLACE",))),
    *[one_of(("MULTI",), ("EXEC",), ("EXEC",), ("DISCARD",), ("DBSIZE",), ("RESET",), ("UNWATCH",))] * 3,
    words(st.sampled_from(["TYPE", "GET", "EXISTS", "LLEN"]), KEY),
    one_of(("FLUSHDB",), ("FLUSHALL",), ("CONFIG", "GET", "databases")),
)

KEYS = (
    words(st.sampled_from(["TYPE", "PERSIST", "TTL", "EXISTS", "GET", "STRLEN", "DEL", "UNLINK"]), KEY),
    words(st.sampled_from(["EXPIRE", "PEXPIRE"]), KEY, st.sampled_from(["100", "-1"])),
    words(st.sampled_from(["RENAME", "RENAMENX", "MGET", "LCS"]), KEY, KEY),
    words("COPY", KEY, KEY, one_of((), ("REPLACE",))),
    words("SET", KEY, VALUE, one_of((), ("GET",), ("NX",), ("XX", "GET"), ("KEEPTTL",))),
    words(st.sampled_from(["APPEND", "INCRBY", "INCRBYFLOAT", "GETSET", "SETNX"]), KEY, VALUE),
    words("SETRANGE", KEY, "1", VALUE),
    words("GETRANGE", KEY, "0", "1"),
    words(st.sampled_from(["GETDEL", "GETEX"]), KEY),
    words("GETEX", KEY, "PX", "100000"),
)

UNORDERED = {"HGETALL": 2} | dict.fromkeys(["HKEYS", "HVALS", "SMEMBERS", "SUNION", "SINTER", "SDIFF", "SPOP"], 1)
RANDOM = {"HRANDFIELD", "SRANDMEMBER", "ZRANDMEMBER"}
SCANS = {"HSCAN": 2, "SSCAN": 1, "ZSCAN": 2}
ADVANCE_WORDS = "advance the clock by"
ADVANCE = st.tuples(st.just(ADVANCE_WORDS), st.sampled_from(["0.099", "1", "99", "100", "1000"]))
GROUPS = {
    "hash": HASHES,
    "list": LISTS,
    "set": SETS,
    "sorted set": SORTED_SETS,
    "sorted operation": SORTED_OPERATIONS,
    "lex": LEX,
    "database": DATABASES,
    "bits": BITS,
    "sort": SORTING,
}


def takes_any(command: Words) -> bool:
    """Return whether the command takes a member by chance, and leaves servers with different sets."""
    return command[0] == "SPOP" and len(command) == 2


def comparable(command: Words, reply: Tagged) -> Tagged:
    """Return the part of a reply that has one right value."""
    name = command[0]
    if name in SCANS and reply[0] == "*":
        return reply[0], [reply[1][0], in_order(reply[1][1], SCANS[name])]
    if name in RANDOM or takes_any(command):
        return shape(reply)
    return in_order(reply, UNORDERED[name]) if name in UNORDERED else reply


@pytest.fixture(params=["lmdb:", "memory:"])
def sides(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> Iterator[list[tuple[TaggedClient, KeyspaceEvents]]]:
    """A client of redis-server and one of a pool, each with another that hears the events of keys."""
    workers = 1 if request.param == "memory:" else 2
    toml = kv_toml(store=request.param, workers=workers, notify_keyspace_events=EVERY)
    options = ("--notify-keyspace-events", EVERY)
    with (
        running_redis(tmp_path, *options, environment=clock.environment) as path,
        PoolProcess.run(toml, environment=clock.environment) as ours,
        ExitStack() as stack,
    ):
        redis = [stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) for _ in range(2)]
        for sock in redis:
            sock.settimeout(DEADLINE_S)
            sock.connect(str(path))
        mine = [stack.enter_context(connect(ours.urls()[0])) for _ in range(2)]
        yield [
            (stack.enter_context(closing(TaggedClient(one))), KeyspaceEvents(Client(other)))
            for one, other in (redis, mine)
        ]


@pytest.fixture
def servers(sides: list[tuple[TaggedClient, KeyspaceEvents]]) -> list[TaggedClient]:
    return [server for server, _ in sides]


@pytest.mark.parametrize("group", GROUPS)
def test_replies_and_events_are_those_of_redis(
    sides: list[tuple[TaggedClient, KeyspaceEvents]], clock: Clock, group: str
) -> None:
    servers = [server for server, _ in sides]
    commands_of_group = st.one_of(*GROUPS[group])
    command = st.one_of(commands_of_group, commands_of_group, commands_of_group, st.one_of(*KEYS), ADVANCE)

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(["2", "3"]), st.lists(command, min_size=15, max_size=60))
    def check(protocol: str, commands: list[Words]) -> None:
        for server in servers:
            server("RESET")
            server("HELLO", protocol)
            server("FLUSHALL")
            server("SET", "string", "10")
        for server, heard in sides:
            heard.until_now(server)
        for command in commands:
            if command[0] == ADVANCE_WORDS:
                clock.advance(float(command[1]))
                continue
            expected, got = (comparable(command, server(*command)) for server in servers)
            assert got == expected, f"{command}: {got!r} instead of {expected!r}"
            if takes_any(command):
                for server in servers:
                    server("DEL", command[1])
        for server in servers:
            server("RESET")
        expected_events, events = (heard.until_now(server) for server, heard in sides)
        if group == "sort":  # it looks up the weights of a set's members in their order, and there is none
            expected_events, events = sorted(expected_events), sorted(events)
        assert events == expected_events

    check()


def test_pipelines_keep_to_the_databases_that_they_select(servers: list[TaggedClient]) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(*DATABASES), min_size=10, max_size=80))
    def check(commands: list[Words]) -> None:
        commands = [("RESET",), ("FLUSHALL",), *commands]
        for server in servers:
            server.send_all(commands)
        for command in commands:
            expected, got = (server.receive() for server in servers)
            assert got == expected, f"{command}: {got!r} instead of {expected!r}"

    check()


FOUND: tuple[list[Words], ...] = (
    [("BITFIELD", "none", "OVERFLOW", "FAIL", "SET", "u1", "0", "-1"), ("GET", "none")],
    [("SET", "a", "a"), ("BITPOS", "a", "0", "-1", "-2"), ("BITCOUNT", "a", "-1", "-2")],
)
"""Differences that thousands of random commands have shown once."""


def test_differences_that_were_found_by_chance_are_gone(servers: list[TaggedClient]) -> None:
    for command in (command for commands in FOUND for command in [("FLUSHALL",), *commands]):
        expected, got = (server(*command) for server in servers)
        assert got == expected, f"{command}: {got!r} instead of {expected!r}"


def test_a_key_is_watched_in_its_database(servers: list[TaggedClient]) -> None:
    begin: list[Words] = [("SET", "k", "0"), ("SELECT", "1"), ("SET", "k", "1"), ("WATCH", "k"), ("SELECT", "0")]
    for change in (("SET", "k", "2"), ("COPY", "k", "k", "DB", "1", "REPLACE"), ("GET", "k")):
        begin += [change, ("SELECT", "1"), ("MULTI",), ("GET", "k"), ("SELECT", "2"), ("EXEC",), ("DBSIZE",)]
        begin += [("SELECT", "1"), ("WATCH", "k"), ("SELECT", "0")]
    for command in begin:
        expected, got = (server(*command) for server in servers)
        assert got == expected, f"{command}: {got!r} instead of {expected!r}"
