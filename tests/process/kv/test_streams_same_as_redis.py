"""Commands on streams, groups and consumers are answered as by a real redis-server, in RESP2 and RESP3.

Nothing waits here: the clock of both stands still. That server keeps one entry in each node of its trees, so `~` trims
as exactly there as it does here.
"""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kv_client import kv_toml
from kv_words import one_of, some, words
from resp_replies import TaggedClient
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

KEY = st.sampled_from(["a", "a", "a", "a", "a", "b", "b", "string", "none"])
LARGEST = str(2**64 - 1)
NEW_ID = st.sampled_from(["*", "*", "1-1", "1-2", "2-1", "3", "5-*", "5-*", "0-*", "9-9"])
ID = st.sampled_from(["1-1", "1-2", "2-1", "3", "3-0", "5-0", "5-1", "0-1", "9-9", "1", "0"])
ODD_ID = st.sampled_from(
    [
        *(
            "0-0",
            "*",
            "-",
            "+",
            "$",
            ">",
            "(1-1",
            "abc",
            "1-",
            "",
            f"{LARGEST}-{LARGEST}",
            " 1",
            "01-1",
            "1--1",
            "1--01",
        ),
        *(f"{LARGEST}-*", f"{2**64}", "+1-+1", "1-2-3", "1-*", "1" * 128, "-1-1", "1-1\0x"),
    ]
)
ANY_ID = st.one_of(ID, ID, ID, ODD_ID)
EDGE = st.one_of(
    st.sampled_from(["-", "+", "-", "+", "(1-1", "(2", "(0-0", "(-", f"({LARGEST}-{LARGEST}", "(", "(x"]), ID, ODD_ID
)
NUMBER = st.sampled_from(["0", "1", "2", "3", "100", "-1", "abc", str(2**63 - 1)])
FIELDS = st.one_of(
    st.lists(st.sampled_from(["f", "g", "", "1", "x" * 300]), min_size=2, max_size=4).map(tuple),
    st.just(("f", "v")),
)
LIMIT = st.one_of(st.just(()), st.just(()), words("LIMIT", NUMBER), one_of(("LIMIT",)))
HOW = one_of((), ("=",), ("~",), ("~",))
TRIM = st.one_of(words("MAXLEN", HOW, NUMBER, LIMIT), words("MINID", HOW, ANY_ID, LIMIT))
COUNT = st.one_of(st.just(()), st.just(()), words("COUNT", NUMBER), one_of(("COUNT",), ("FOO", "1")))

ENTRIES = (
    *[words("XADD", KEY, NEW_ID, FIELDS)] * 6,
    words("XADD", KEY, ANY_ID, FIELDS),
    words("XADD", KEY, "NOMKSTREAM", NEW_ID, FIELDS),
    words("XADD", KEY, TRIM, NEW_ID, FIELDS),
    words("XADD", KEY, some("NOMKSTREAM", "MAXLEN", "MINID", "LIMIT", "2", "~", "*", "f", at_least=3, at_most=6)),
    words("XLEN", KEY),
    words(st.sampled_from(["XRANGE", "XREVRANGE"]), KEY, EDGE, EDGE, COUNT),
    words("XRANGE", KEY, "-", "+"),
    words("XREVRANGE", KEY, "+", "-", COUNT),
    words("XDEL", KEY, st.lists(ANY_ID, min_size=1, max_size=3).map(tuple)),
    words("XDEL", KEY, st.lists(ID, min_size=1, max_size=3).map(tuple)),
    words("XTRIM", KEY, TRIM, one_of((), (), (), ("FOO",), ("MAXLEN", "1"))),
    words("XSETID", KEY, ANY_ID),
    words("XSETID", KEY, ID, some("ENTRIESADDED", "MAXDELETEDID", "0", "5", "2-1", "9", "x", at_most=4)),
    words("XREAD", COUNT, "STREAMS", KEY, ANY_ID),
    words("XREAD", COUNT, "STREAMS", KEY, KEY, ID, ANY_ID),
    words("XREAD", "BLOCK", st.sampled_from(["x", "-1", "1.5"]), "STREAMS", KEY, "0"),
    words("XREAD", some("COUNT", "1", "STREAMS", "a", "0", "GROUP", "NOACK", at_least=3, at_most=6)),
    words("XINFO", "STREAM", KEY, one_of((), ("FULL",), ("FULL", "COUNT", "1"), ("FOO",), ("FULL", "COUNT"))),
    words("COMMAND", "GETKEYS", "XREAD", COUNT, one_of((), ("BLOCK", "0")), "STREAMS", KEY, KEY, "1", "2"),
    words("COMMAND", "GETKEYS", "XREAD", "STREAMS", KEY, "1", "2"),
    words("EVAL", one_of(("return redis.pcall(unpack(ARGV))",)), "0", "XRANGE", KEY, "-", "+"),
    words("EVAL", one_of(("return redis.pcall(unpack(ARGV))",)), "0", "XREAD", "STREAMS", KEY, "0"),
    words("EVAL", one_of(("return redis.pcall(unpack(ARGV))",)), "0", "XREAD", "BLOCK", "0", "STREAMS", KEY, "0"),
    words("OBJECT", "ENCODING", KEY),
    words("SORT", KEY),
)

GROUP = st.sampled_from(["g", "g", "g", "h", "x" * 500])
CONSUMER = st.sampled_from(["c", "c", "d", "e", "", "y" * 500])
IDLE = st.sampled_from(["0", "0", "1", "99", "1000", "-5", "abc"])
IDS = st.lists(ID, min_size=1, max_size=4, unique=True).map(tuple)
CLAIMING = st.lists(
    st.one_of(
        words(st.sampled_from(["IDLE", "TIME", "RETRYCOUNT"]), st.sampled_from(["0", "5", "500", "-1", "x"])),
        words("TIME", st.sampled_from(["1800000000000", "1700000000000", "9800000000000"])),
        words("LASTID", ANY_ID),
        one_of(("FORCE",), ("FORCE",), ("JUSTID",), ("FOO",), ("IDLE",)),
    ),
    max_size=2,
).map(lambda options: tuple(sum(options, ())))
READING = words("XREADGROUP", "GROUP", GROUP, CONSUMER)
CONSUMING = (
    *[words("XADD", KEY, NEW_ID, FIELDS)] * 4,
    *[words("XGROUP", "CREATE", KEY, GROUP, st.sampled_from(["$", "0"]), one_of((), ("MKSTREAM",)))] * 3,
    words("XGROUP", "CREATE", KEY, GROUP, ANY_ID, some("MKSTREAM", "ENTRIESREAD", "1", "-1", "-2", "x")),
    words("XGROUP", "SETID", KEY, GROUP, st.one_of(ANY_ID, st.just("$")), some("ENTRIESREAD", "1", "MKSTREAM")),
    words("XGROUP", "CREATECONSUMER", KEY, GROUP, CONSUMER),
    words("XGROUP", "DELCONSUMER", KEY, GROUP, CONSUMER),
    words("XGROUP", "DESTROY", KEY, GROUP),
    *[words(READING, COUNT, one_of((), (), ("NOACK",)), "STREAMS", KEY, ">")] * 6,
    words(READING, one_of((), ("COUNT", "1")), "STREAMS", KEY, ANY_ID),
    words(READING, one_of((), ("COUNT", "1"), ("NOACK",)), "STREAMS", KEY, KEY, st.just(">"), one_of((">",), ("0",))),
    words(READING, one_of((), ("BLOCK", "x")), "STREAMS", KEY, ">"),
    words("XREADGROUP", some("GROUP", "g", "c", "STREAMS", "a", ">", "NOACK", at_least=6, at_most=8)),
    *[words("XACK", KEY, GROUP, IDS)] * 2,
    words("XACK", KEY, GROUP, st.lists(ANY_ID, min_size=1, max_size=2).map(tuple)),
    words("XPENDING", KEY, GROUP),
    words("XPENDING", KEY, GROUP, one_of((), ("IDLE", "1"), ("IDLE", "99"), ("IDLE", "x")), "-", "+", NUMBER),
    words("XPENDING", KEY, GROUP, "-", "+", "10", CONSUMER),
    words("XPENDING", KEY, GROUP, EDGE, EDGE, "10", one_of((), ("c",), ("c", "d"), ("c", "d", "e"))),
    words("XPENDING", KEY, GROUP, some("IDLE", "-", "+", "1", at_most=4)),
    *[words("XCLAIM", KEY, GROUP, CONSUMER, IDLE, IDS, CLAIMING)] * 2,
    words("XCLAIM", KEY, GROUP, CONSUMER, IDLE, ANY_ID, CLAIMING),
    *[words("XAUTOCLAIM", KEY, GROUP, CONSUMER, IDLE, st.sampled_from(["0", "-", "1-2"]), COUNT)] * 2,
    words("XAUTOCLAIM", KEY, GROUP, CONSUMER, IDLE, EDGE, some("COUNT", "1", "0", "JUSTID", "FOO", at_most=3)),
    words("XDEL", KEY, IDS),
    words("XTRIM", KEY, "MAXLEN", NUMBER),
    words("XINFO", "GROUPS", KEY),
    words("XINFO", "CONSUMERS", KEY, GROUP),
    *[words("XINFO", "STREAM", KEY, one_of((), ("FULL",), ("FULL",), ("FULL", "COUNT", "1")))] * 3,
    words("COMMAND", "GETKEYS", READING, COUNT, "STREAMS", KEY, KEY, "1", ">"),
    words("XSETID", KEY, "9-9", "ENTRIESADDED", "10"),
)
KEYS = (
    words(st.sampled_from(["TYPE", "TTL", "EXISTS", "DEL", "LLEN"]), KEY),
    words("EXPIRE", KEY, st.sampled_from(["100", "100", "-1"])),
    words(st.sampled_from(["RENAME", "RENAMENX"]), KEY, KEY),
    words("COPY", KEY, KEY, one_of((), ("REPLACE",))),
    words("RPUSH", KEY, "x"),
    one_of(("SCAN", "0", "TYPE", "stream", "COUNT", "100")),
)
ADVANCE_WORDS = "advance the clock by"
ADVANCE = st.tuples(st.just(ADVANCE_WORDS), st.sampled_from(["0.001", "0.099", "1", "100"]))
GROUPS = {"entries": ENTRIES, "groups": CONSUMING}


@pytest.fixture(params=["lmdb:", "memory:"])
def servers(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[tuple[TaggedClient, ...]]:
    toml = kv_toml(store=request.param, workers=1 if request.param == "memory:" else 2)
    with (
        running_redis(tmp_path, "--stream-node-max-entries", "1", environment=clock.environment) as path,
        PoolProcess.run(toml, environment=clock.environment) as ours,
    ):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        with closing(TaggedClient(sock)) as redis, closing(TaggedClient(connect(ours.urls()[0]))) as mine:
            yield redis, mine


def comparable(command: Words, reply: Tagged) -> Tagged:
    """Return a reply without the nodes of Redis's trees, which do not exist here; keys of SCAN in an order."""
    if command[:2] == ("XINFO", "STREAM") and reply[0] in "*%":
        return reply[0], [*reply[1][:2], *reply[1][6:]]
    if command[0] == "SCAN":
        return reply[0], sorted(reply[1][1][1])
    return reply


@pytest.mark.parametrize("group", GROUPS)
def test_replies_about_streams_are_those_of_redis(servers: tuple[TaggedClient, ...], clock: Clock, group: str) -> None:
    commands_of_group = st.one_of(*GROUPS[group])
    command = st.one_of(*[commands_of_group] * 6, st.one_of(*KEYS), ADVANCE)

    # To shrink a failing example takes minutes.
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.sampled_from(["2", "3"]), st.lists(command, min_size=15, max_size=80))
    def check(protocol: str, commands: list[Words]) -> None:
        for server in servers:
            server("RESET")
            server("HELLO", protocol)
            server("FLUSHALL")
            server("SET", "string", "10")
        for command in commands:
            if command[0] == ADVANCE_WORDS:
                clock.advance(float(command[1]))
                continue
            expected, got = (comparable(command, server(*command)) for server in servers)
            assert got == expected, f"{command}: {got!r} instead of {expected!r}"

    check()


def test_changes_of_groups_are_not_watched(servers: tuple[TaggedClient, ...]) -> None:
    steps: list[Words] = [("XADD", "s", "1-1", "f", "v"), ("XGROUP", "CREATE", "s", "g", "0")]
    for change in [
        ("XGROUP", "CREATE", "s", "h", "0"),
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"),
        ("XACK", "s", "g", "1-1"),
        ("XGROUP", "CREATE", "new", "g", "0", "MKSTREAM"),
        ("XADD", "s", "1-2", "f", "v"),
        ("XDEL", "s", "1-2"),
        ("XTRIM", "s", "MAXLEN", "0"),
        ("DEL", "s"),
    ]:
        steps += [("WATCH", "s", "new"), change, ("MULTI",), ("ECHO", str(change)), ("EXEC",)]
    for command in steps:
        expected, got = (server(*command) for server in servers)
        assert got == expected, f"{command}: {got!r} instead of {expected!r}"


def test_a_stream_that_is_read_twice_at_once_has_given_its_new_entries_to_the_consumer(
    servers: tuple[TaggedClient, ...],
) -> None:
    reading = ("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "s", "s", "s")
    steps: list[Words] = [*[("XADD", "s", f"1-{number}", "f", "v") for number in (1, 2, 3)]]
    steps += [("XGROUP", "CREATE", "s", "g", "0"), (*reading, ">", "0", ">"), (*reading, "0", ">", "0")]
    for command in [*steps, ("XPENDING", "s", "g", "-", "+", "9"), ("XINFO", "GROUPS", "s")]:
        expected, got = (server(*command) for server in servers)
        assert got == expected, f"{command}: {got!r} instead of {expected!r}"


def test_a_wrong_id_is_told_of_before_a_wrong_limit(servers: tuple[TaggedClient, ...]) -> None:
    for options in (
        ("MAXLEN", "=", "2", "LIMIT", "3", "f", "v"),
        ("LIMIT", "3", "f", "v"),
        ("MAXLEN", "=", "2", "LIMIT", "3", "*", "f"),
        ("MAXLEN", "=", "2", "LIMIT", "3"),
        ("MAXLEN", "2", "LIMIT", "x", "f", "v"),
    ):
        expected, got = (server("XADD", "s", *options) for server in servers)
        assert got == expected, options
