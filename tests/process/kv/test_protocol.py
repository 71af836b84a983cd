"""The kv protocol on the wire: lines and arrays, limits, passwords, clients that misbehave."""

from __future__ import annotations

import re
import signal
import socket
from typing import TYPE_CHECKING

import hiredis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_client import Client, kv_toml
from operated import reload_by_signal
from resp_streams import PIECES

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.pools import Pools

    Clients = Callable[[PoolProcess], Client]


def ask(running: PoolProcess, data: bytes) -> bytes:
    """Send everything, end, and give all that comes back."""
    with connect(running.urls()[0]) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)


def test_lines_as_people_type_them(kv: PoolProcess) -> None:
    assert (
        ask(kv, b'SET greeting "hello \\"world\\"\\x21\\n"\r\nGET greeting\n') == b'+OK\r\n$15\r\nhello "world"!\n\r\n'
    )
    assert ask(kv, b"\r\n\r\nPING\r\n") == b"+PONG\r\n"
    assert ask(kv, b"*1\r\n$4\r\nPING\r\n\r\nPING\r\n*1\r\n$4\r\nPING\r\nPING\n") == b"+PONG\r\n" * 4


def test_replies_keep_their_order_when_some_wait_for_a_commit(kv: PoolProcess) -> None:
    lines = b"GET a\nSET a 1\nPING\nGET a\nFOO\nMULTI\nINCR a\nEXEC\nPING\nQUIT\nPING\n"

    assert ask(kv, lines) == (
        b"$-1\r\n+OK\r\n+PONG\r\n$1\r\n1\r\n-ERR unknown command 'FOO', with args beginning with: \r\n"
        b"+OK\r\n+QUEUED\r\n*1\r\n:2\r\n+PONG\r\n+OK\r\n"
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"*1\r\n!4\r\nPING\r\n", b"Protocol error: "),
        (b"*9999999999\r\n", b"Protocol error: invalid multibulk length"),
        (b"*2000000\r\n", b"Protocol error: invalid multibulk length"),
        (b"*x\r\n", b"Protocol error: invalid multibulk length"),
        (b"*1\r\n$-5\r\n", b"Protocol error: "),
        (b"*1\r\n:5\r\n", b"Protocol error: expected '$'"),
        (b'SET a "unbalanced\n', b"Protocol error: unbalanced quotes in request"),
        (b"x" * 70_000, b"Protocol error: too big inline request"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_closed(kv: PoolProcess, data: bytes, words: bytes) -> None:
    pids = kv.workers()
    with connect(kv.urls()[0]) as sock:
        sock.sendall(b"PING\n")
        assert receive_exactly(sock, 7) == b"+PONG\r\n"
        sock.sendall(data)
        reply = receive_all(sock)

    assert reply.startswith(b"-ERR " + words)
    assert kv.workers() == pids


def test_a_request_larger_than_allowed_is_refused(pool: Pools) -> None:
    running = pool(kv_toml(max_request=10_000))
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1000000\r\n" + b"x" * 20_000)
        assert receive_all(sock) == b"-ERR Protocol error: request of more than 10000 bytes\r\n"


def test_a_password_is_asked_for(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(password="sesame")))  # noqa: S106

    assert str(client("GET", "a")) == "NOAUTH Authentication required."
    assert str(client("AUTH", "wrong")).startswith("WRONGPASS")
    assert str(client("HELLO", "3")).startswith("NOAUTH HELLO must be called")
    assert client("AUTH", "sesame") == b"OK"
    assert client("SET", "a", "1") == b"OK"
    assert client("RESET") == b"RESET"
    assert str(client("GET", "a")) == "NOAUTH Authentication required."
    assert client("HELLO", "2", "AUTH", "default", "sesame")[0] == b"server"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"*11\r\n", b"unauthenticated multibulk length"),
        (b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$60000000\r\n", b"unauthenticated bulk length"),
        (b"PING\r\n*1\r\n$16385\r\n", b"unauthenticated bulk length"),
        (b"*10\r\n$4\r\nPING\r\n$16384\r\n", b"request of more than 16384 bytes"),
    ],
)
def test_a_client_without_the_password_can_make_the_server_keep_little(pool: Pools, data: bytes, words: bytes) -> None:
    # CVE-2021-32675: before AUTH, any number of connections could each have a value's worth of memory.
    running = pool(kv_toml(password="sesame"))  # noqa: S106
    with connect(running.urls()[0]) as sock:
        sock.sendall(data)
        assert receive_all(sock).endswith(b"-ERR Protocol error: " + words + b"\r\n")


def test_the_password_raises_the_limits_for_what_follows_at_once(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(password="sesame")))  # noqa: S106
    client.send_all([("AUTH", "sesame"), ("SET", "a", "x" * 100_000), ("DEL", *range(20)), ("STRLEN", "a")])
    assert [client.receive() for _ in range(4)] == [b"OK", b"OK", 0, 100_000]
    client("RESET")
    client.send_all([("HELLO", "3", "AUTH", "default", "sesame"), ("SET", "a", "x" * 100_001), ("STRLEN", "a")])
    assert [client.receive() for _ in range(3)][1:] == [b"OK", 100_001]


def test_resp3_after_hello(kv: PoolProcess) -> None:
    reply = ask(kv, b"HELLO 3\nGET nothing\nCOMMAND DOCS get\nMULTI\nPING\nEXEC\n")

    assert reply.startswith(b"%7\r\n$6\r\nserver\r\n")
    assert b"\r\n_\r\n%1\r\n$3\r\nget\r\n%3\r\n" in reply
    assert reply.endswith(b"+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n")


def test_a_client_that_asks_for_much_and_does_not_read_costs_little(kv: PoolProcess, clients: Clients) -> None:
    client, other = clients(kv), clients(kv)
    client("SET", "big", "x" * 1_000_000)
    count = 300
    client.sock.setblocking(False)
    request = b"GET big\n" * count + b"SET a 1\nGET a\n"
    assert client.sock.send(request) == len(request)
    client.sock.setblocking(True)
    client.sock.settimeout(60)
    assert [other("PING") for _ in range(20)] == [b"PONG"] * 20

    assert all(len(client.receive()) == 1_000_000 for _ in range(count))
    assert [client.receive(), client.receive()] == [b"OK", b"1"]


def test_a_store_in_memory_is_for_one_worker(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(workers=1, store="memory:")))
    client("MSET", *(word for number in range(100) for word in (number, "x")))
    assert sorted(client("KEYS", "*")) == sorted(b"%d" % number for number in range(100))
    client("SET", "soon", "x", "PX", 50)
    wait_until(lambda: client("DBSIZE") == 100)

    with PoolProcess.run(kv_toml(workers=2, store="memory:"), wait=False) as refused:
        assert refused.wait() == 2
        assert refused.stderr.endswith(
            "pool.workers: listener[0] can't be served by 2 workers: protocol 'kv' with these options is for 1\n"
        )


STORE = "listener[0].options.store"


ONE_OF = "expected NAME:PLACE with one of lmdb:, memory:"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"store": "lmbd:x"}, f"{STORE} = \"lmbd:x\": {ONE_OF} (did you mean 'lmdb:'?)"),
        ({"store": "what"}, f'{STORE} = "what": {ONE_OF}'),
        ({"store": "memory:./x"}, "listener[0].options: store = 'memory:./x': memory: takes no place"),
        ({"password": "x" * 9000}, "listener[0].options: the password has more than 8192 bytes"),
        (
            {"password_file": "none"},
            'listener[0].options.password_file = "none": can\'t be read: No such file or directory',
        ),
        ({"password_file": "."}, 'listener[0].options.password_file = ".": can\'t be read: Is a directory'),
        ({"password_file": "/dev/null"}, 'listener[0].options.password_file = "/dev/null": is not a file'),
    ],
)
def test_options_that_can_not_be_right_are_mistakes(options: dict[str, object], sentence: str) -> None:
    with PoolProcess.run(kv_toml(workers=1, **options), wait=False) as refused:
        assert refused.wait() == 2
        mistake = refused.stderr.partition("\n")[2].strip()
        assert re.sub(r"^corepool\.toml:\d+: ", "", mistake).startswith(sentence)


@pytest.mark.parametrize(
    ("content", "mode", "options", "sentence"),
    [
        (b"sesame\n", 0o644, {}, "every user may read it: chmod o-r secret, or mount it with mode 0440"),
        (b"\n", 0o600, {}, "there is nothing in it"),
        (b"x", 0o600, {"password": "y"}, "`password` and `password_file`: one of them says it"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_mistake(
    tmp_path: Path, content: bytes, mode: int, options: dict[str, object], sentence: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    secret.chmod(mode)
    toml = kv_toml(workers=1, password_file=str(secret), **options)
    with PoolProcess.run(toml, wait=False) as refused:
        assert refused.wait() == 2
        assert refused.stderr.endswith(f": {sentence}\n")


def test_a_password_from_a_file_is_read_again_at_a_reload(pool: Pools, clients: Clients, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o640)
    secret.write_bytes(b"s\xffsame \r\n")
    running = pool(kv_toml(password_file=str(secret), store=f"lmdb:{tmp_path}/data"))
    client = clients(running)
    assert str(client("AUTH", "sesame")).startswith("WRONGPASS")
    assert client("AUTH", b"s\xffsame ") == b"OK"
    assert client("SET", "a", "1") == b"OK"

    secret.write_bytes(b"another")
    reload_by_signal(running)
    newcomer = clients(running)
    assert str(newcomer("AUTH", b"s\xffsame ")).startswith("WRONGPASS")
    assert newcomer("AUTH", "another") == b"OK"
    assert newcomer("GET", "a") == b"1"

    secret.chmod(0o644)
    running.send_signal(signal.SIGHUP)
    running.wait_logged("reload_failed kept=", "every user may read it")
    assert clients(running)("AUTH", "another") == b"OK"


def test_a_request_is_a_command(kv: PoolProcess, clients: Clients) -> None:
    client = clients(kv)
    client.send_all([("PING",)] * 16)
    assert [client.receive() for _ in range(16)] == [b"PONG"] * 16
    assert client("SET", "a", "x" * 3_000_000) == b"OK"
    assert str(client("NOTHING")).startswith("ERR unknown command")
    wait_until(lambda: kv.status()["totals"]["requests"] >= 18)
    assert kv.status()["totals"]["requests"] == 18


def test_the_temporary_store_is_removed(pool: Pools, clients: Clients) -> None:
    running = pool(kv_toml(), environment={"TMPDIR": "."})
    clients(running)("SET", "a", "1")
    assert list(running.directory.glob("corepool-kv-*/data.mdb"))
    running.stop()
    assert not list(running.directory.glob("corepool-kv-*"))


def test_every_command_is_described(kv: PoolProcess, clients: Clients) -> None:
    client = clients(kv)
    names = client("COMMAND", "LIST")

    assert client("COMMAND", "COUNT") == len(names) == len(client("COMMAND"))
    name, arity, flags, *keys = client("COMMAND", "INFO", "mset")[0][:6]
    assert (name, arity, sorted(flags), keys) == (b"mset", -3, [b"denyoom", b"write"], [1, -1, 2])
    assert client("COMMAND", "INFO", "nothing") == [None]
    assert isinstance(client("COMMAND", "NOTHING"), hiredis.ReplyError)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=2000), st.lists(PIECES, max_size=30).map(b"".join)))
def test_no_bytes_end_a_worker(kv: PoolProcess, data: bytes) -> None:
    pids = kv.workers()
    ask(kv, data)
    assert ask(kv, b"PING\n") == b"+PONG\r\n"
    assert kv.workers() == pids


def test_what_a_client_makes_the_server_keep_is_bounded(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(max_request=20_000, max_reply=50_000)))
    assert client("MULTI") == b"OK"
    replies = [client("SET", "a", "x" * 1000) for _ in range(30)]
    assert replies[0] == b"QUEUED"
    assert "more than 20000 bytes in a transaction" in str(replies[-1])
    assert str(client("EXEC")).startswith("EXECABORT")
    assert client("EXISTS", "a") == 0

    client("SET", "a", "x" * 10_000)
    assert [len(value) for value in client("MGET", *"aaaa")] == [10_000] * 4
    assert "a reply of more than 50000 bytes" in str(client("MGET", *"aaaaa"))
    client("MULTI")
    client("INCR", "count")
    for _ in range(5):
        client("GET", "a")
    assert str(client("EXEC")) == "ERR a reply of more than 50000 bytes"
    assert client("EXISTS", "count") == 0
    for number in range(1000):
        client("SET", f"key-{number}-{number:050}", "x")
    assert "a reply of more than 50000 bytes" in str(client("KEYS", "key-*"))
    assert "a pattern of more than" in str(clients(pool(kv_toml()))("KEYS", "a" * 70_000))
    assert "more than 10000 watched keys" in str(clients(pool(kv_toml()))("WATCH", *range(10_001)))
    assert "key is too long" in str(client("WATCH", "fits", "y" * 600))
    assert "a name of more than 256 bytes" in str(client("CLIENT", "SETNAME", "x" * 257))
    assert "a name of more than 256 bytes" in str(client("CLIENT", "SETINFO", "lib-name", "x" * 257))
    assert "there are only" in str(client("COMMAND", "INFO", *["get"] * 1000))
    assert client("MSET", "fits", "x", "y" * 600, "x") != b"OK"
    assert client("EXISTS", "fits") == 0


def test_watched_keys_are_counted_in_bytes(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(workers=1, store="memory:", max_request=20_000)))
    keys = [str(number) * 3000 for number in range(7)]
    assert [client("WATCH", key) for key in [*keys[:6], *keys[:6]]] == [b"OK"] * 12
    assert "more than 20000 bytes of watched keys" in str(client("WATCH", keys[6]))
    assert client("UNWATCH") == b"OK"
    assert client("WATCH", keys[6]) == b"OK"


def test_exec_forgets_a_key_whose_watch_had_to_wait(kv: PoolProcess, clients: Clients) -> None:
    client, other = clients(kv), clients(kv)
    client.send_all([("SET", "a", "1"), ("WATCH", "a"), ("MULTI",), ("GET", "a"), ("EXEC",)])
    assert [client.receive() for _ in range(5)] == [b"OK", b"OK", b"OK", b"QUEUED", [b"1"]]
    other("SET", "a", "2")
    client.send_all([("MULTI",), ("GET", "a"), ("EXEC",)])
    assert [client.receive() for _ in range(3)][-1] == [b"2"]


def test_a_scan_lists_so_many_keys_at_most(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(workers=1, store="memory:")))
    client("MSET", *(word for number in range(10_100) for word in (number, "x")))
    cursor, keys = client("SCAN", "0", "COUNT", "1000000000")
    assert len(keys) < 10_100
    end, rest = client("SCAN", cursor, "COUNT", "1000000000")
    assert (end, len({*keys, *rest})) == (b"0", 10_100)


def test_a_store_in_memory_has_its_limit_too(pool: Pools, clients: Clients) -> None:
    client = clients(pool(kv_toml(workers=1, store="memory:", max_bytes=2_400_000)))
    for number in range(20):
        client("SET", number, "x" * 90_000)
    assert str(client("MSET", "a", "x" * 300_000, "b", "x" * 300_000, "c", "x" * 300_000)).startswith("OOM ")
    assert client("EXISTS", "a", "b", "c") == 0
    assert client("SET", "0", "y" * 90_000) == b"OK"
