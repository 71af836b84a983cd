"""Scripts in workers: known to all, alone with the data, bounded in time and memory, and shut off from Python."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from kv_client import kv_toml

if TYPE_CHECKING:
    from collections.abc import Callable

    from kv_client import Client

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

ENDLESS = {
    "a loop": "while true do end",
    "a loop that catches its end": "while true do pcall(function() while true do end end) end",
    "a loop of errors that are caught": "while true do pcall(error) end",
    "a coroutine": "while true do coroutine.wrap(function() while true do end end)() end",
    "a coroutine that is resumed": "local f = function() while true do end end "
    "while true do coroutine.resume(coroutine.create(f)) end",
    "a comparison": "local t = {} for i = 1, 1000 do t[i] = i end "
    "while true do table.sort(t, function(a, b) return a > b end) end",
    "a metamethod": "local t=setmetatable({},{__index=function() while true do end end}) return t.x",
    "commands": "while true do redis.pcall('get','a') end",
    "a handler of errors": "xpcall(error, function() while true do end end)",
}


@pytest.mark.parametrize("how", ENDLESS)
def test_a_script_that_does_not_end_is_ended_and_changes_nothing(
    kv: PoolProcess, clients: Callable[[PoolProcess], Client], how: str
) -> None:
    client, other = clients(kv), clients(kv)
    assert client("CONFIG", "SET", "busy-reply-threshold", "100") == b"OK"
    client("SET", "a", "before")

    reply = client("EVAL", f"redis.call('set','a','after') {ENDLESS[how]}", 0)

    assert str(reply).startswith("ERR script timed out after 0.1 s")
    assert client("GET", "a") == other("GET", "a") == b"before"
    assert client("EVAL", "return 'alive'", 0) == b"alive"


def test_clients_of_other_workers_read_while_a_script_runs(
    kv: PoolProcess, clients: Callable[[PoolProcess], Client]
) -> None:
    client, other = clients(kv), clients(kv)
    client("CONFIG", "SET", "busy-reply-threshold", "1000")
    client("SET", "a", "1")
    waiting = threading.Thread(target=lambda: client("EVAL", "while true do end", 0))
    waiting.start()
    reads = 0
    while waiting.is_alive():
        assert other("GET", "a") == b"1"
        reads += 1
    waiting.join()
    assert reads > 1


HUNGRY = {
    "a string": 'return #string.rep("x", 1e9)',
    "a string that grows": 'local s = "x" while true do s = s .. s end',
    "a table": "local t = {} for i = 1, 1e9 do t[i] = {} end",
    "replies": """local t = {} for i = 1, 1e6 do
        redis.call("set", "big", i .. string.rep("x", 4e6)) t[i] = redis.call("get", "big") end""",
    "a result": 'local s, t = string.rep("x", 4e6), {} for i = 1, 100 do t[i] = s end return t',
    "a caught failure": """local t, n = {}, 0
        repeat local ok = pcall(function() n = n + 1 t[n] = n .. string.rep("x", 1e5) end) until not ok
        for i = 1, 100 do t[n + i] = redis.call("get", "a") .. string.rep("y", 1e5) end""",
    "depth": "local function f() return 1 + f() end return f()",
    "a table in itself": "local t = {} t[1] = t return #cjson.encode(t)",
}


@pytest.mark.parametrize("how", HUNGRY)
def test_a_script_that_wants_too_much_memory_fails_and_its_worker_lives(
    pool: Pools, clients: Callable[[PoolProcess], Client], how: str
) -> None:
    client = clients(pool(kv_toml(workers=1)))
    number = client("CLIENT", "ID")
    assert client("CONFIG", "SET", "busy-reply-threshold", "60000") == b"OK"

    for _ in range(3):
        reply = client("EVAL", HUNGRY[how], 0)
        assert isinstance(reply, Exception)
    assert client("EVAL", "return #ARGV[1]", 0, "x" * 20_000_000) == 20_000_000
    assert isinstance(client("EVAL", "return #ARGV[1]", 0, *["x" * 20_000_000] * 3), Exception | int)

    assert client("EVAL", "return 'alive'", 0) == b"alive"
    assert client("CLIENT", "ID") == number  # the same connection


CLOSED = (
    *(
        "io",
        "os",
        "require",
        "package",
        "module",
        "dofile",
        "loadfile",
        "debug",
        "python",
        "newproxy",
        "setfenv",
        "getfenv",
    ),
    "print",
)


def test_scripts_reach_neither_the_system_nor_python(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    client = clients(kv)
    for name in CLOSED:
        assert "nonexistent global variable" in str(client("EVAL", f"return {name}", 0)), name
    kinds = """
        local seen, kinds = {}, {}
        local function look(value)
          if type(value) == "userdata" and value ~= cjson.null then kinds[#kinds + 1] = tostring(value) end
          if type(value) == "table" and not seen[value] then
            seen[value] = true
            for key, each in pairs(value) do look(key) look(each) end
            look(getmetatable(value))
          end
        end
        look(_G)
        look(getmetatable(""))
        look({pcall(redis.call, "nope")})
        look({pcall(redis.call, {})})
        look({pcall(bit.band, {})})
        look({pcall(redis.sha1hex, nil)})
        look({pcall(redis.acl_check_cmd, {})})
        look({pcall(struct.pack, "d", {})})
        look({pcall(cmsgpack.unpack, "\\203")})
        return kinds
    """
    assert client("EVAL", kinds, 0) == []
    assert client("EVAL", "return string.dump", 0) is None
    assert "nonexistent" in str(client("EVAL", "return loadstring('return os')()", 0))
    assert "nonexistent" in str(
        client("EVAL", "local s = 'return os' return load(function() local r = s s = nil return r end)()", 0)
    )
    assert client("EVAL", "return {loadstring('\\27Lua')}", 0) == []


def test_a_script_leaves_nothing_behind_for_the_next(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    client = clients(kv)
    for change in (
        "x = 1",
        "string.x = 1",
        "redis.x = 1",
        "_G.string = 1",
        "rawset(_G, 'x', 1)",
        "getmetatable('').x = 1",
    ):
        assert "readonly table" in str(client("EVAL", change, 0)), change
    client("EVAL", "redis.setresp(3)", 1, "key")
    assert client("EVAL", "return {#KEYS, redis.call('get', 'nothing') == false}", 0) == [0, 1]


def test_a_script_that_one_worker_was_sent_is_known_to_all(
    kv: PoolProcess, clients: Callable[[PoolProcess], Client]
) -> None:
    first, second = clients(kv), clients(kv)
    assert first("CLIENT", "ID") >> 32 != second("CLIENT", "ID") >> 32  # of two workers
    loaded = first("SCRIPT", "LOAD", "return redis.call('incr', KEYS[1])")
    assert second("EVALSHA", loaded, 1, "n") == 1
    assert second("SCRIPT", "EXISTS", loaded, "0" * 40) == [1, 0]

    assert second("EVAL", "return ARGV[1]", 0, "x") == b"x"
    assert first("EVALSHA", "098e0f0d1448c0a81dafe820f66d460eb09263da", 0, "y") == b"y"

    assert first("FLUSHALL") == b"OK"
    assert second("EVALSHA", loaded, 1, "n") == 1  # data, not scripts
    assert first("SCRIPT", "FLUSH") == b"OK"
    assert str(second("EVALSHA", loaded, 1, "n")).startswith("NOSCRIPT")


def test_scripts_are_bounded_in_number_and_size(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    client = clients(kv)
    first = client("SCRIPT", "LOAD", "return 0")
    client.send_all([("SCRIPT", "LOAD", f"return {number}") for number in range(1, 1001)])
    last = [client.receive() for _ in range(1000)][-1]
    assert client("SCRIPT", "EXISTS", first, last) == [0, 1]
    assert str(client("EVAL", "--" + "x" * (1 << 20), 0)).startswith("ERR a script of more than")


def test_scripts_of_two_workers_count_without_a_loss(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    both = [clients(kv), clients(kv)]
    text = "local n = tonumber(redis.call('get', KEYS[1]) or 0) redis.call('set', KEYS[1], n + 1) return n"
    for client in both:
        client.send_all([("EVAL", text, 1, "n")] * 300)
    found = sorted(client.receive() for _ in range(300) for client in both)
    assert found == list(range(600))


def test_a_script_publishes_what_others_get(kv: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    subscriber, client = clients(kv), clients(kv)
    assert subscriber("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
    assert client("EVAL", "redis.call('set','a','b') return redis.call('publish','news','hello')", 0) == 1
    assert subscriber.receive() == [b"message", b"news", b"hello"]


def test_without_lupa_the_error_says_what_to_install(pool: Pools, clients: Callable[[PoolProcess], Client]) -> None:
    missing = {"lupa/__init__.py": "raise ImportError('hidden by a test')\n"}
    client = clients(pool(kv_toml(workers=1), files=missing))
    assert "pip install 'corepool[scripts]'" in str(client("EVAL", "return 1", 0))
    assert client("SET", "a", "b") == b"OK"
    assert client("SCRIPT", "FLUSH") == b"OK"
