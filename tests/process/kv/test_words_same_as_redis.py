"""Any words behind any command are answered as by a real redis-server: numbers, options, too many, too few, NULs.

Left out are commands without a single answer (time, random keys, facts about the server) and those that differ by
design: other databases, keys that are longer than a store takes, subscriptions within MULTI (test_pubsub.py has the
others).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kv_client import encode

from corepool_kv.redis.table import COMMANDS

if TYPE_CHECKING:
    from conftest import Pair

DESCRIBING = {
    b"client",
    b"debug",
    b"monitor",
    b"command",
    b"config",
    b"hello",
    b"info",
    b"latency",
    b"quit",
    b"role",
    b"slowlog",
    b"time",
}
VARYING = {b"expiretime", b"keys", b"pexpiretime", b"pttl", b"randomkey", b"scan", b"select", b"ttl"}
SUBSCRIBING = {b"subscribe", b"psubscribe", b"unsubscribe", b"punsubscribe"}
OURS = {b"help", b"stats", b"refcount", b"idletime", b"usage", b"dump"}
"""Words behind which the answer is our own: texts, and facts about the insides of Redis, which compresses."""
NAME = st.one_of(
    st.sampled_from([(name,) for name, each in COMMANDS.items() if name not in DESCRIBING | VARYING | SUBSCRIBING]),
    st.sampled_from(
        [
            (name, subcommand)
            for name, each in COMMANDS.items()
            for subcommand in each.subcommands
            if name not in DESCRIBING and subcommand not in OURS
        ]
    ),
    st.sampled_from([(b"foo",), (b"",), (b"get\0",), (b"GET ",), (b"\xff",), (b"host",), (b"posT:",)]),
)
TEXTS = (
    b"a b c 1 -1 0 5 100 3.5 inf nan 1e5 0x10 -0X1.8p3 0x 9223372036854775807 -9223372036854775808 9223372036854775808"
)
OPTIONS = (
    b"EX PX NX XX GET KEEPTTL EXAT PXAT PERSIST GT LT LEN IDX MINMATCHLEN WITHMATCHLEN REPLACE ASYNC SYNC nx ex foo"
)
WORD = st.sampled_from(
    [*TEXTS.split(), *OPTIONS.split(), b"", b" 1", b"\0", b"a\0b", b"\xc3\xa9", b"\r\n", b"x" * 200, b"*", b"[", b"\\"]
)
REQUEST = st.builds(lambda name, words: (*name, *words), NAME, st.lists(WORD, max_size=6))
_SPELLED = re.compile(rb"(?<=unknown subcommand or wrong number of arguments for ')[^']*")
"""The subcommand in this error: Redis spells it as the client has, corepool mostly in capitals."""


def _in_capitals(found: re.Match[bytes]) -> bytes:
    return found[0].upper()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REQUEST, min_size=1, max_size=10), st.sampled_from(["", "MULTI"]))
@example([(b"SET", b"a", b"1", b"EX", b"0", b"foo")], "")
@example([(b"SET", b"a", b"1", b"EX", b"x", b"EX", b"100"), (b"GETEX", b"a", b"EX", b"x", b"EX", b"100")], "")
@example([(b"EXEC", b"a")], "MULTI")
@example([(b"PEXPIRE", b"foo", b"-9223372036854775808")], "")
@example([(b"INCRBYFLOAT", b"foo", b"0x10"), (b"INCRBYFLOAT", b"foo", b"-0X1.8p3")], "")
@example([(b"FUNCTION", b"flush", b"a", b"b")], "")
@example([(b"XGROUP", b"setid", b"a", b"a", b"a", b"a")], "")
@example([(b"PUBSUB", b"channels", b"a", b"a")], "")
@example([(b"SSCAN", b"a", cursor) for cursor in (b"", b"-1", b"+1", b"-", b"1\0x", b" 1", b"1" * 21, b"0" * 30)], "")
@example([(b"EXPIRE", b"a", b"1", b"a\0b"), (b"EXPIRE", b"a", b"1", b"\r\n")], "")
@example([(b"COPY", b"a", b"b", b"DB", b"9223372036854775807")], "")
def test_any_words_are_answered_as_by_redis(pair: Pair, requests: list[tuple[bytes, ...]], how: str) -> None:
    if how:
        requests = [(b"MULTI",), *requests, (b"EXEC",)]
    begin = [(b"FLUSHALL",), (b"SET", b"a", b"10"), (b"SET", b"b", b"hello")]
    expected, got = pair.ask(b"".join(map(encode, begin + requests)))

    assert _SPELLED.sub(_in_capitals, got) == _SPELLED.sub(_in_capitals, expected)
