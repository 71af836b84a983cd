"""FUNCTION and FCALL are answered as by a real redis-server, and known to every worker."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, encode

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Pair

    from corepool.testing.pool import PoolProcess

LIBRARY = """#!lua name=lib
local function put(keys, args) return redis.call('set', keys[1], args[1]) end
redis.register_function('put', put)
redis.register_function{function_name='get', callback=function(keys) return redis.call('get', keys[1]) end,
  flags={'no-writes'}, description='reads'}
redis.register_function('fail', function() local n = redis.call('lpush', 'text', 1) return n end)
redis.register_function('err', function() return redis.error_reply('MY no') end)
redis.register_function('cheat', function() redis.register_function('more', put) end)
redis.register_function{function_name='sneak', callback=put, flags={'no-writes'}}
redis.register_function('global', function() return KEYS end)
"""
LOADS = (
    "",
    "return 1",
    "#!lua",
    "#!lua\n",
    "#!lua name=\n",
    "#!lua name=a-b\nreturn 1",
    "#!js name=a\nx",
    "#!lua name=a name=b\nx",
    "#!lua foo=a\nx",
    '#!lua "name=a\nx',
    '#!lua name="a"b\nx',
    "#!lua\0 name=a\nx",
    "#!lua name\nx",
    "#!\"lua\" 'name=a'\nredis.register_function('x', function() return 1 end)",
    "#!lua name=a\nthis is no lua",
    "#!lua name=a\nreturn 1",
    "#!lua name=a\nredis.register_function('x')",
    "#!lua name=a\nredis.register_function(1, 2)",
    "#!lua name=a\nredis.register_function('x', 2)",
    "#!lua name=a\nredis.register_function{}",
    "#!lua name=a\nredis.register_function{function_name='x'}",
    "#!lua name=a\nredis.register_function{function_name='x', callback=1}",
    "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, flags={'foo'}}",
    "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, flags=1}",
    "#!lua name=a\nredis.register_function{function_name='x', callback=function() end, foo=1}",
    "#!lua name=a\nredis.register_function('a b', function() end)",
    "#!lua name=a\nlocal f = function() end redis.register_function('x', f) redis.register_function('x', f)",
)


@pytest.mark.parametrize("code", LOADS)
def test_libraries_with_mistakes_are_refused_as_by_redis(pair: Pair, code: str) -> None:
    expected, got = pair.ask(encode(("FUNCTION", "FLUSH")) + encode(("FUNCTION", "LOAD", code)))

    assert got.partition(b":")[0] == expected.partition(b":")[0]  # lines of Lua's own errors differ


@pytest.mark.parametrize("version", [2, 3])
def test_functions_are_called_and_listed_as_by_redis(pair: Pair, version: int) -> None:
    stream = [
        ("HELLO", version), ("FLUSHALL",), ("FUNCTION", "FLUSH"), ("SET", "text", "x"),
        ("FUNCTION", "LOAD", LIBRARY), ("FUNCTION", "LOAD", LIBRARY), ("FUNCTION", "LOAD", "REPLACE", LIBRARY),
        ("FUNCTION", "LOAD", "FOO", LIBRARY),
        ("FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('put', function() end)"),
        ("FCALL", "put", 1, "a", "1"), ("FCALL", "get", 1, "a"), ("FCALL_RO", "get", 1, "a"),
        ("FCALL_RO", "put", 1, "a", "2"),
        ("FCALL", "sneak", 1, "a", "2"), ("FCALL", "none", 0), ("FCALL", "get", 2, "a"), ("FCALL", "get", "x"),
        ("FCALL", "get", -1), ("FCALL", "err", 0), ("GET", "a"), ("FUNCTION", "STATS"),
        ("FUNCTION", "LIST", "LIBRARYNAME", "o*"), ("FUNCTION", "LIST", "WITHCODE", "WITHCODE"),
        ("MULTI",), ("FCALL", "put", 1, "a", "3"), ("EXEC",), ("COMMAND", "GETKEYS", "FCALL", "put", 1, "a", "3"),
        ("FUNCTION", "DELETE", "lib"), ("FUNCTION", "DELETE", "lib"), ("FCALL", "get", 1, "a"), ("FUNCTION", "LIST"),
    ]  # fmt: skip
    expected, got = (_comparable(reply) for reply in pair.ask(b"".join(map(encode, stream))))

    assert got == expected


def _comparable(reply: bytes) -> bytes:
    """Without the client's ID, and the lines of functions: a call behind `return` leaves no frame in Lua 5.1."""
    reply = re.sub(rb", on @user_function:\d+\.", b".", reply)
    before, _, after = reply.partition(b"$2\r\nid\r\n:")
    return before + after.partition(b"\r\n")[2]


OTHER = (
    "#!lua name=other\n" + "-- long enough to be compressed " * 30 + "\nredis.register_function('more', function() end)"
)


def test_libraries_are_dumped_and_restored_both_ways(pair: Pair) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as theirs, connect(pair.ours.urls()[0]) as ours:
        theirs.settimeout(DEADLINE_S)
        theirs.connect(str(pair.redis))
        redis, corepool = Client(theirs), Client(ours)
        for one, other in ((redis, corepool), (corepool, redis)):
            for client in (one, other):
                assert client("FUNCTION", "FLUSH") == b"OK"
            nothing = one("FUNCTION", "DUMP")
            assert one("FUNCTION", "LOAD", LIBRARY) == b"lib"
            assert one("FUNCTION", "LOAD", OTHER) == b"other"
            dumped = one("FUNCTION", "DUMP")
            assert other("FUNCTION", "RESTORE", dumped) == b"OK"
            assert other("FUNCTION", "RESTORE", nothing) == b"OK"
            assert by_name(other) == by_name(one)
            assert other("FCALL", "put", 1, "a", "1") == b"OK"
            one("FUNCTION", "FLUSH")
            one("FUNCTION", "LOAD", "#!lua name=third\nredis.register_function('put', function() end)")
            clash = one("FUNCTION", "DUMP")
            value = [one("SET", "a", "1"), one("DUMP", "a")][1]
            found = []
            for client in (one, other):
                client("FUNCTION", "FLUSH")
                client("FUNCTION", "RESTORE", dumped)
                answers = [
                    str(client("FUNCTION", "RESTORE", *words)).replace("other", "lib")  # tables have no order in Redis
                    for words in (
                        *((dumped, how) for how in ("append", "REPLACE", "FLUSH", "FOO")),
                        *((clash, how) for how in ("APPEND", "REPLACE", "FLUSH")),
                        *((value,), ("",), (dumped[:-1] + b"x",), (dumped, "FLUSH", "x")),
                    )
                ]
                found.append((answers, list(by_name(client))))
            assert found[0] == found[1]
        for client in (redis, corepool):  # they are those of other tests, too
            client("FUNCTION", "FLUSH")


def by_name(client: Client) -> dict[bytes, tuple[list[bytes], bytes]]:
    """Return the functions and the text of each library."""
    libraries = client("FUNCTION", "LIST", "WITHCODE")
    return {each[1]: (sorted(function[1] for function in each[5]), each[7]) for each in libraries}


def test_functions_are_those_of_every_worker(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    one, other = clients(kv), clients(kv)
    assert one("FUNCTION", "LOAD", LIBRARY) == b"lib"
    assert other("FCALL", "put", 1, "a", "1") == b"OK"
    assert one("FCALL", "get", 1, "a") == b"1"
    one("SET", "text", "x")
    names = {function[1] for function in other("FUNCTION", "LIST", "WITHCODE")[0][5]}
    assert names == {b"put", b"get", b"fail", b"err", b"cheat", b"sneak", b"global"}
    changed = LIBRARY.replace("redis.call('get', keys[1])", "'changed'")
    assert other("FUNCTION", "LOAD", "REPLACE", changed) == b"lib"
    assert one("FCALL", "get", 1, "a") == b"changed"
    assert "on @user_function:" in str(one("FCALL", "fail", 0))
    assert "can only be called on FUNCTION LOAD" in str(one("FCALL", "cheat", 0))
    assert "nonexistent global variable 'KEYS'" in str(one("FCALL", "global", 0))
    many = "#!lua name=many\nfor i = 1, 1000 do redis.register_function('f' .. i, function() end) end"
    assert str(one("FUNCTION", "LOAD", many)) == "ERR more than 1000 functions"
    assert one("CONFIG", "SET", "busy-reply-threshold", "100") == b"OK"
    assert "timeout" in str(one("FUNCTION", "LOAD", "#!lua name=slow\nwhile true do pcall(error) end"))
    assert other("FUNCTION", "FLUSH") == b"OK"
    assert str(one("FCALL", "get", 1, "a")) == "ERR Function not found"
