"""The memcached protocol beside kv on one store, over several workers, and against clients that mean no good."""

from __future__ import annotations

import os
import signal
import struct
from typing import TYPE_CHECKING

import pytest
from kv_client import Client as Redis
from running_memcached import Client, memcached_toml

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

BOTH = """
[pool]
workers = {workers}
dispatcher = "round-robin"
respawn_delay = "1ms"
[[listener]]
name = "cache"
bind = ["tcp://127.0.0.1:0"]
protocol = "memcached"
options = {{ store = "{store}", database = 3, max_bytes = "64MiB", eviction = "allkeys-lru" }}
[[listener]]
name = "kv"
bind = ["tcp://127.0.0.1:0"]
protocol = "kv"
options = {{ store = "{store}", max_bytes = "64MiB", eviction = "allkeys-lru" }}
"""


@pytest.fixture(params=["lmdb", "memory"])
def both(request: pytest.FixtureRequest, pool: Pools, tmp_path: Path) -> PoolProcess:
    """Both protocols on one store."""
    is_shared = request.param == "lmdb"
    store = f"lmdb:{tmp_path}/data" if is_shared else "memory:shared"
    return pool(BOTH.format(store=store, workers=2 if is_shared else 1))


def test_items_are_strings_of_the_kv_protocol(both: PoolProcess) -> None:
    cache_url, kv_url = both.urls()
    with connect(cache_url) as first, connect(kv_url) as second:
        cache, kv = Client(first), Redis(second)
        assert kv("SELECT", 3) == b"OK"
        assert cache.ask(b"set n 7 100 2\r\n10\r\n") == b"STORED\r\n"
        cas = cache.ask(b"gets n\r\n").split()[4]
        assert (kv("GET", "n"), kv("INCR", "n")) == (b"10", 11)
        assert 90 < kv("TTL", "n") <= 100
        assert cache.ask(b"get n\r\ncas n 0 0 1 %b\r\nx\r\n" % cas) == b"VALUE n 7 2\r\n11\r\nEND\r\nEXISTS\r\n"
        assert kv("SET", "n", "12") == b"OK"
        assert cache.ask(b"mg n f v t\r\n") == b"VA 2 f0 t-1\r\n12\r\n"
        assert kv("SELECT", 0) == b"OK"
        assert kv("GET", "n") is None


def test_marks_of_meta_commands_are_no_flags(both: PoolProcess) -> None:
    with connect(both.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 4294967295 0 1\r\nx\r\nmd a I\r\n")
        assert cache.ask(b"get a\r\nmg a f\r\nmg a f\r\n") == (
            b"VALUE a 4294967295 1\r\nx\r\nEND\r\nHD f4294967295 X W\r\nHD f4294967295 Z X\r\n"
        )


def test_collections_are_left_alone(both: PoolProcess) -> None:
    cache_url, kv_url = both.urls()
    with connect(cache_url) as first, connect(kv_url) as second:
        cache, kv = Client(first), Redis(second)
        kv("SELECT", 3)
        kv("RPUSH", "list", "a", "b")
        refused = b"SERVER_ERROR the key holds a collection of the kv protocol\r\n"
        assert cache.ask(b"get list\r\nmg list v\r\nadd list 0 0 1\r\nx\r\n") == b"END\r\nEN\r\nNOT_STORED\r\n"
        assert cache.ask(b"incr list 1\r\nappend list 0 0 1\r\nx\r\ntouch list 0\r\nmd list I\r\n") == refused * 4
        assert kv("LRANGE", "list", 0, -1) == [b"a", b"b"]
        assert cache.ask(b"set list 0 0 1\r\nx\r\n") == b"STORED\r\n"
        assert kv("GET", "list") == b"x"


def test_a_delayed_flush_outlives_every_worker(pool: Pools, tmp_path: Path) -> None:
    running = pool(memcached_toml(workers=2, store=f"lmdb:{tmp_path}/data"))
    with connect(running.urls()[0]) as sock:
        assert (
            Client(sock)
            .ask(b"set a 0 0 1\r\nx\r\nflush_all 2\r\nget a\r\n")
            .endswith(b"OK\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        )
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)

    def is_flushed() -> bool:
        with connect(running.urls()[0]) as sock:
            return Client(sock).ask(b"get a\r\n") == b"END\r\n"

    wait_until(is_flushed, what="the flush")
    with connect(running.urls()[0]) as sock:
        assert Client(sock).ask(b"set a 0 0 1\r\nx\r\nget a\r\n") == b"STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n"


def test_time_to_live(pool: Pools, clock: object) -> None:
    running = pool(memcached_toml(workers=1), environment=clock.environment)  # type: ignore[attr-defined]
    now_s = clock.now_ms // 1000  # type: ignore[attr-defined]
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(
            b"set a 0 10 1\r\nx\r\nset b 0 %d 1\r\nx\r\nset c 0 -1 1\r\nx\r\nset d 0 2592000 1\r\nx\r\n" % (now_s + 20)
        )
        assert cache.ask(b"mg a t\r\nmg b t\r\nmg c t\r\nmg d t\r\n") == b"HD t10\r\nHD t20\r\nEN\r\nHD t2592000\r\n"
        clock.advance(11)  # type: ignore[attr-defined]
        assert cache.ask(b"mg a t\r\nmg b t\r\ntouch b 30\r\n") == b"EN\r\nHD t9\r\nTOUCHED\r\n"
        clock.advance(25)  # type: ignore[attr-defined]
        assert cache.ask(b"mg b t\r\ngat -1 b\r\nmg b t\r\n") == b"HD t5\r\nVALUE b 0 1\r\nx\r\nEND\r\nEN\r\n"


def test_many_keys_of_large_items_come_as_the_client_reads(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 0 100000\r\n" + b"x" * 100_000 + b"\r\n")
        sock.sendall(b"get " + b"a " * 200 + b"\r\nget a\r\n")
        with connect(running.urls()[0]) as other:
            assert Client(other).ask(b"get nothing\r\n") == b"END\r\n"
        reply = cache.ask()
    assert reply == (b"VALUE a 0 100000\r\n" + b"x" * 100_000 + b"\r\n") * 200 + b"END\r\n" + (
        b"VALUE a 0 100000\r\n" + b"x" * 100_000 + b"\r\nEND\r\n"
    )


def test_reads_behind_writes_see_them(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1, durability="always"))
    with connect(running.urls()[0]) as sock:
        asked = b"".join(b"set k 0 0 %d noreply\r\n%d\r\nget k\r\n" % (len(str(n)), n) for n in range(1500))
        assert Client(sock).ask(asked) == b"".join(
            b"VALUE k 0 %d\r\n%d\r\nEND\r\n" % (len(str(n)), n) for n in range(1500)
        )


def test_the_binary_protocol_is_refused_in_its_own_words(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1))
    with connect(running.urls()[0]) as sock:
        sock.sendall(struct.pack(">BBHBBHIIQ", 0x80, 0x0B, 0, 0, 0, 0, 0, 77, 0))
        received = receive_all(sock)
    magic, opcode, _, _, _, status, length, opaque, _ = struct.unpack(">BBHBBHIIQ", received[:24])
    assert (magic, opcode, status, opaque) == (0x81, 0x0B, 0x81, 77)
    assert received[24:].startswith(b"the binary protocol is not served")
    assert length == len(received) - 24
    running.wait_logged("memcached_protocol_refused")


@pytest.mark.parametrize(
    "stream",
    [b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"mn\r\nHost: x\r\n", b"x" * 70_000, b"get " + b"x " * 40_000],
)
def test_a_browser_or_an_endless_line_ends_the_connection(pool: Pools, stream: bytes) -> None:
    running = pool(memcached_toml(workers=1))
    with connect(running.urls()[0]) as sock:
        sock.sendall(stream + b"\r\nset stolen 0 0 1\r\nx\r\n")
        assert receive_all(sock) in (b"", b"MN\r\n", b"CLIENT_ERROR line of more than 65536 bytes\r\n")
    with connect(running.urls()[0]) as sock:
        assert Client(sock).ask(b"get stolen\r\n") == b"END\r\n"


def test_a_value_without_an_end_keeps_no_one_else_waiting(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1, max_item=100_000))
    with connect(running.urls()[0]) as slow, connect(running.urls()[0]) as large, connect(running.urls()[0]) as other:
        slow.sendall(b"set a 0 0 90000\r\nxxx")
        large.sendall(b"set a 0 0 2147483645\r\n" + b"x" * 1_000_000)
        assert Client(other).ask(b"get a\r\n") == b"END\r\n"
        assert Client(slow).ask(b"x" * 89_997 + b"\r\n") == b"STORED\r\n"


def test_an_item_that_is_too_large_leaves_none_that_is_stale(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1, max_item=2000))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 0 1\r\nx\r\nset b 0 0 2000\r\n" + b"x" * 2000 + b"\r\n")
        refused = b"SERVER_ERROR object too large for cache\r\n"
        assert cache.ask(b"set a 0 0 2001\r\n" + b"x" * 2001 + b"\r\nget a\r\n") == refused + b"END\r\n"
        assert cache.ask(b"append b 0 0 1\r\nx\r\n") == refused
        assert cache.ask(b"get b\r\n").startswith(b"VALUE b 0 2000\r\n")
        assert cache.ask(b"set a 0 0 2001 noreply\r\n" + b"x" * 2001 + b"\r\n") == b""


def test_stats(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 0 1\r\nx\r\nget a b\r\nincr a 1\r\ndelete a\r\ndelete a\r\nset a 0 0 1\r\nx\r\n")
        told = dict(line.split()[1:] for line in cache.ask(b"stats\r\n").splitlines()[:-1])
        expected = {b"get_hits": b"1", b"get_misses": b"1", b"delete_hits": b"1", b"delete_misses": b"1"}
        expected |= {b"curr_items": b"1", b"cmd_set": b"2", b"version": b"1.6.18", b"curr_connections": b"1"}
        assert told.items() >= expected.items()
        assert cache.ask(b"stats settings\r\n").startswith(b"STAT maxbytes 67108864\r\nSTAT item_size_max 1048576\r\n")
        assert cache.ask(b"stats items\r\n") == b"STAT items:1:number 1\r\nEND\r\n"
        assert cache.ask(b"stats slabs\r\nstats reset\r\n").endswith(b"END\r\nRESET\r\n")


def test_stats_are_those_of_all_workers_also_of_killed_ones(pool: Pools) -> None:
    running = pool(memcached_toml(workers=2))

    def told(cache: Client) -> dict[bytes, bytes]:
        return dict(line.split()[1:] for line in cache.ask(b"stats\r\n").splitlines()[:-1])

    with connect(running.urls()[0]) as first, connect(running.urls()[0]) as second:
        one, other = Client(first), Client(second)
        for each in (one, other):
            each.ask(b"set a 0 0 1\r\nx\r\nget a b\r\n")
        expected = {b"cmd_set": b"2", b"get_hits": b"2", b"get_misses": b"2", b"curr_connections": b"2"}
        for each in (one, other):
            wait_until(lambda: told(each).items() >= expected.items(), what="the counts of both")  # noqa: B023
        os.kill(int(told(one)[b"pid"]), signal.SIGKILL)
        expected |= {b"curr_connections": b"1"}
        wait_until(lambda: told(other).items() >= expected.items(), what="the killed one's connection to be gone")
        assert other.ask(b"stats reset\r\n") == b"RESET\r\n"
        assert told(other)[b"get_hits"] == b"0"


def test_a_port_for_memcached_and_redis(pool: Pools) -> None:
    running = pool("""
[pool]
workers = 1
[[listener]]
name = "both"
bind = ["tcp://127.0.0.1:0"]
protocols = ["memcached", "kv"]
protocol_options.memcached.store = "memory:shared"
protocol_options.kv = { store = "memory:shared", max_bytes = "64MiB", eviction = "allkeys-lru" }
""")
    with connect(running.urls()[0]) as first, connect(running.urls()[0]) as second:
        assert Client(first).ask(b"set a 0 0 1\r\nx\r\n") == b"STORED\r\n"
        assert Redis(second)("GET", "a") == b"x"


def test_evictions(pool: Pools) -> None:
    running = pool(memcached_toml(workers=2, max_bytes=4 << 20))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        value = b"x" * 10_000
        for begin in range(0, 1000, 50):
            stored = b"".join(b"set %d 0 0 10000\r\n%b\r\nget hot\r\n" % (n, value) for n in range(begin, begin + 50))
            assert cache.ask(b"add hot 0 0 1\r\nx\r\n" + stored).count(b"STORED\r\n") >= 50
        assert cache.ask(b"get 999\r\n") == b"VALUE 999 0 10000\r\n" + value + b"\r\nEND\r\n"
        told = dict(line.split()[1:] for line in cache.ask(b"stats\r\n").splitlines()[:-1])
        assert int(told[b"evictions"]) > 500
        assert int(told[b"bytes"]) <= int(told[b"limit_maxbytes"]) == 4 << 20


def test_a_full_store_without_eviction(pool: Pools) -> None:
    running = pool(memcached_toml(workers=1, max_bytes=1 << 20, eviction="noeviction"))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        number = 0
        while (reply := cache.ask(b"set %d 0 0 5000\r\n%b\r\n" % (number, b"x" * 5000))) == b"STORED\r\n":
            number += 1
        assert reply == b"SERVER_ERROR out of memory storing object\r\n"
        assert cache.ask(b"get 0\r\n").startswith(b"VALUE 0 0 5000\r\n")
        assert cache.ask(b"delete 0\r\ndelete 1\r\ndelete 2\r\ntouch 3 100\r\n").count(b"DELETED") == 3
        assert cache.ask(b"set 0 0 0 1\r\nx\r\n") == b"STORED\r\n"


def test_clients_between_requests_move_at_a_reload(pool: Pools, tmp_path: Path) -> None:
    running = pool(memcached_toml(workers=2, store=f"lmdb:{tmp_path}/data"))
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 0 1\r\nx\r\n")
        running.request("reload")
        running.wait_logged("reload_done")
        assert cache.ask(b"get a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"
