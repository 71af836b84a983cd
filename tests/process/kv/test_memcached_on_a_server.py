"""The memcached protocol on a store of Redis servers: its rules between workers, and foreign values.

That replies are memcached's own: test_memcached_same.py.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import redis
from running_memcached import Client, memcached_toml
from running_redis import running_redis, serve_every_slot

from corepool.testing.sockets import connect, reserved_port
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

WORKERS, CLIENTS, ROUNDS = 2, 8, 50


@pytest.fixture(params=["one server", "a cluster"])
def served(request: pytest.FixtureRequest, pool: Pools, tmp_path: Path) -> Iterator[tuple[PoolProcess, redis.Redis]]:
    """Two workers on a server, and a client of the server itself."""
    with ExitStack() as stack:
        if request.param == "one server":
            path = stack.enter_context(running_redis(tmp_path))
            store = f"unix://{path}"
        else:
            port = stack.enter_context(reserved_port())
            options = ("--port", str(port), "--cluster-enabled", "yes")
            path = stack.enter_context(running_redis(tmp_path, *options))
            store = f"cluster://127.0.0.1:{port}"
        admin = stack.enter_context(redis.Redis(unix_socket_path=str(path)))
        if request.param == "a cluster":
            serve_every_slot(path)
        yield pool(memcached_toml(WORKERS, store=store)), admin


def in_threads(running: PoolProcess, work: Callable[[Client], object], clients: int = CLIENTS) -> list[object]:
    """Have clients of their own do some work at the same time; return the results."""
    results: list[object] = []

    def run() -> None:
        with connect(running.urls()[0]) as sock:
            results.append(work(Client(sock)))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_commands_are_atomic_between_workers(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, _ = served
    largest = 2**64 - 1

    def work(client: Client) -> tuple[int, int]:
        for number in range(ROUNDS):
            client.ask(b"incr n 1\r\n" * 3, b"append log 0 0 1\r\nx\r\n")
            client.ask(b"decr down 1\r\n" if number % 2 else b"ma down MD\r\n")
        added = client.ask(b"add lock 0 0 1\r\nx\r\n") == b"STORED\r\n"
        cas = client.ask(b"gets once\r\n").split()[4]
        return added, client.ask(b"cas once 0 0 1 %b\r\ny\r\n" % cas) == b"STORED\r\n"

    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set n 5 0 20\r\n%d\r\nset log 0 0 0\r\n\r\nset down 0 0 3\r\n410\r\n" % largest)
        cache.ask(b"set once 0 0 1\r\nx\r\n")
        won = in_threads(running, work)
        assert sum(added for added, _ in won) == 1  # type: ignore[misc]
        assert sum(swapped for _, swapped in won) >= 1  # type: ignore[misc]
        assert cache.ask(b"get n\r\n") == b"VALUE n 5 4\r\n%d\r\nEND\r\n" % (CLIENTS * ROUNDS * 3 - 1), "it wraps"
        assert cache.ask(b"mg log s\r\nget down\r\n") == b"HD s%d\r\nVALUE down 0 2\r\n10\r\nEND\r\n" % (
            CLIENTS * ROUNDS
        )


def test_of_several_who_swap_one_wins(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, _ = served
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        for _ in range(20):
            cache.ask(b"set a 0 0 1\r\nx\r\n")
            cas = cache.ask(b"gets a\r\n").split()[4]
            replies = in_threads(running, lambda client, cas=cas: client.ask(b"cas a 0 0 1 %b\r\ny\r\n" % cas), 4)  # type: ignore[misc]
            assert sorted(replies) == [b"EXISTS\r\n"] * 3 + [b"STORED\r\n"]  # type: ignore[type-var]


def test_a_pipeline_keeps_its_order(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, admin = served
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        asked = [b"set k%d 0 0 %d\r\n%d\r\nget k%d k%d\r\n" % (n % 7, len(str(n)), n, n % 7, n % 7) for n in range(500)]
        expected = [
            b"STORED\r\n" + b"VALUE k%d 0 %d\r\n%d\r\n" % (n % 7, len(str(n)), n) * 2 + b"END\r\n" for n in range(500)
        ]
        assert cache.ask(b"".join(asked)) == b"".join(expected)
        assert admin.dbsize() == 7
        told = cache.ask(
            b"set a 0 0 1 noreply\r\nx\r\nset b 0 0 1\r\nx\r\nflush_all\r\nget a b k1\r\n",
            b"set c 0 0 1\r\nx\r\nflush_all noreply\r\nget c\r\nversion\r\n",
        )
        assert told == b"STORED\r\nOK\r\nEND\r\nSTORED\r\nEND\r\nVERSION 1.6.18\r\n"
        assert admin.dbsize() == 0
        assert cache.ask(b"set a 0 0 1\r\nx\r\nstats items\r\n").endswith(b"STAT items:1:number 1\r\nEND\r\n")


def test_items_end_by_the_clock_of_the_server(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, admin = served
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 100 1\r\nx\r\nset b 0 0 1\r\nx\r\nset c 0 100 1\r\n1\r\nincr c 1\r\ntouch b 200\r\n")
        assert [90 < admin.ttl(key) <= 100 for key in "ac"] == [True, True]
        assert 190 < admin.ttl("b") <= 200
        cache.ask(b"touch a 0\r\nset b 0 -1 1\r\nx\r\n")
        assert (admin.ttl("a"), admin.exists("b")) == (-1, 0)


def test_foreign_values_are_left_alone_or_replaced(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, admin = served
    strange = b"SERVER_ERROR the key holds a value that no command of memcached has written\r\n"
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        for name, fill in (("list", lambda: admin.rpush("list", "a")), ("text", lambda: admin.set("text", "a"))):
            fill()
            key = name.encode()
            assert cache.ask(b"get %b\r\nadd %b 0 0 1\r\nx\r\n" % (key, key)) == b"END\r\nNOT_STORED\r\n"
            assert cache.ask(b"incr %b 1\r\nappend %b 0 0 1\r\nx\r\ntouch %b 0\r\n" % (key, key, key)) == strange * 3
            assert admin.type(name) == (b"list" if name == "list" else b"string")
            assert cache.ask(b"set %b 0 0 1\r\nx\r\nget %b\r\n" % (key, key)).endswith(b"\r\nx\r\nEND\r\n")
            fill_again = admin.delete(name), fill()
            assert fill_again
            assert cache.ask(b"delete %b\r\n" % key) == b"DELETED\r\n"
            assert not admin.exists(name)


def test_what_is_different_is_told(served: tuple[PoolProcess, redis.Redis]) -> None:
    running, _ = served
    with connect(running.urls()[0]) as sock:
        cache = Client(sock)
        cache.ask(b"set a 0 0 1\r\nx\r\n")
        assert (
            cache.ask(b"flush_all 10\r\n") == b"SERVER_ERROR flush_all with a delay is for a store on this machine\r\n"
        )
        assert cache.ask(b"get a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"


def test_the_server_ends_and_comes_back(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        running = pool(memcached_toml(1, store=f"unix://{path}", database=3))
        sock = running.connect()
        cache = Client(sock)
        assert cache.ask(b"set a 0 0 1\r\nx\r\n") == b"STORED\r\n"
        with redis.Redis(unix_socket_path=str(path), db=3) as admin:
            assert admin.keys() == [b"a"]

    def fails() -> bool:
        told = cache.ask(b"get a\r\nset a 0 0 1\r\nx\r\nset a 0 0 1 noreply\r\nx\r\n")
        return told.count(b"SERVER_ERROR the store has failed: no connection to ") == 2

    wait_until(fails, what="an error for each command")
    running.wait_logged("kv_store_failed")
    with running_redis(tmp_path):
        wait_until(lambda: cache.ask(b"set a 0 0 1\r\nx\r\n") == b"STORED\r\n", what="the server is found again")
        assert cache.ask(b"get a\r\n") == b"VALUE a 0 1\r\nx\r\nEND\r\n"
    sock.close()
