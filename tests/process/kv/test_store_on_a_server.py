"""A listener whose store is on a Redis server: requests are forwarded, and the server may come and go."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import redis
from beside import beside
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kv_client import Client, encode, kv_toml
from kv_words import one_of, words
from running_redis import running_redis
from test_same_as_redis import COMMAND, KEY, VALUE, comparable

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kv_words import Words

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    """A Redis server for the store; its socket."""
    with running_redis(tmp_path) as path:
        yield path


@pytest.fixture
def remote(pool: Pools, server: Path) -> PoolProcess:
    """Two workers whose store is on the server."""
    return pool(kv_toml(store=f"unix://{server}"))


def redis_py(running: PoolProcess, **how: Any) -> redis.Redis:
    return redis.Redis(port=int(running.urls()[0].rpartition(":")[2]), socket_timeout=DEADLINE_S, **how)


@contextmanager
def direct(path: Path) -> Iterator[Client]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(str(path))
        yield Client(sock)


def received(sock: socket.socket) -> bytes:
    """Return all that is received, up to the reply to ECHO."""
    data = b""
    while not data.endswith(END.encode() + b"\r\n"):
        data += sock.recv(65536) or b"(closed)" + END.encode() + b"\r\n"
    return data


FORWARDED = st.one_of(
    COMMAND,
    words(st.sampled_from(["LPUSH", "SADD", "HGETALL", "LLEN", "SMEMBERS", "PFADD", "PFCOUNT"]), KEY, VALUE),
    words("HSET", KEY, VALUE, VALUE),
    words("XADD", KEY, "1-1", "f", VALUE),
    words("EVAL", "return {KEYS[1], ARGV[1], {1, 2.5, false}}", "1", KEY, VALUE),
    words("BLPOP", KEY, "0.01"),
    words("WATCH", KEY),
    one_of(("MULTI", "x"), ("EXEC", "x"), ("WATCH",), ("MULTI",), ("XREAD", "BLOCK", "1", "STREAMS", "a", "0")),
).filter(lambda command: command[0] not in {"AUTH", "HELLO", "SELECT", "CLIENT", "RESET"})
"""Those that are left out are answered by the listener itself."""

END = "the end of the stream"


@pytest.mark.parametrize("protocol", [2, 3])
def test_replies_are_those_of_the_server(
    remote: PoolProcess, clients: Callable[[PoolProcess], Client], tmp_path: Path, protocol: int
) -> None:
    """Byte for byte: an oracle gets the same commands, alone."""
    oracle = tmp_path / "oracle"
    oracle.mkdir()
    with running_redis(oracle) as path, direct(path) as redis_server:
        ours = clients(remote)

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(FORWARDED, min_size=1, max_size=30))
        def check(commands: list[Words]) -> None:
            for each in (redis_server, ours):
                each("RESET")
                each("FLUSHALL")
                each("HELLO", protocol)
            for command in commands:
                expected, got = comparable(redis_server(*command)), comparable(ours(*command))
                assert got == expected, f"{command}: {got!r} instead of {expected!r}"
            # And all at once: the same bytes, and so the same types, in the order of the requests.
            for each in (redis_server, ours):
                each("RESET")
                each("HELLO", protocol)
                each.send_all([*commands, ("DISCARD",), ("ECHO", END)])
            assert received(ours.sock) == received(redis_server.sock)

        check()


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_uses_everything(remote: PoolProcess, protocol: int) -> None:
    with redis_py(remote, protocol=protocol) as client:
        with client.pipeline(transaction=False) as pipeline:
            for number in range(5000):
                pipeline.set(f"k{number}", number)
            assert pipeline.execute() == [True] * 5000
        assert sorted(client.scan_iter(count=100)) == sorted(f"k{number}".encode() for number in range(5000))
        with client.pipeline() as pipeline:
            pipeline.watch("k1")
            value = pipeline.get("k1")
            pipeline.multi()
            pipeline.set("k1", b"new" + value)
            assert pipeline.execute() == [True]
        with client.pipeline() as pipeline:
            pipeline.watch("k1")
            client.set("k1", "other")
            pipeline.multi()
            pipeline.get("k1")
            with pytest.raises(redis.WatchError):
                pipeline.execute()
        assert client.blpop(["none"], timeout=0.01) is None
        with client.pubsub() as channels:
            channels.subscribe("news")
            channels.psubscribe("n*")
            got = [channels.get_message(timeout=DEADLINE_S) for _ in range(2)]
            assert [each and each["type"] for each in got] == ["subscribe", "psubscribe"]
            assert client.publish("news", "hello") == 2
            got = [channels.get_message(timeout=DEADLINE_S) for _ in range(2)]
            assert [each and each["type"] for each in got] == ["message", "pmessage"]
        with redis_py(remote, db=5) as other:
            other.set("only", "here")
        assert client.exists("only") == 0


def test_a_blocked_client_holds_no_other_up_and_goes_without_a_trace(remote: PoolProcess, server: Path) -> None:
    with redis_py(remote) as client, direct(server) as admin:
        blocked = remote.connect()
        blocked.sendall(encode(("BLPOP", "queue", "0")))
        wait_until(lambda: b"cmd=blpop" in admin("CLIENT", "LIST"), what="the server has the command")
        assert client.set("a", "1")
        assert client.get("a") == b"1"
        blocked.close()
        wait_until(lambda: b"cmd=blpop" not in admin("CLIENT", "LIST"), what="the server knows that it has gone")
        client.rpush("queue", "kept")
        assert client.lrange("queue", 0, -1) == [b"kept"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_first_request_of_a_worker_may_be_a_subscription(pool: Pools, server: Path, protocol: int) -> None:
    running = pool(kv_toml(workers=1, store=f"unix://{server}"))
    with closing(running.connect()) as subscriber, redis_py(running) as client:
        subscriber.sendall(encode(("HELLO", protocol)))
        kind = b"*" if protocol == 2 else b">"
        data = b""
        subscriber.sendall(encode(("SUBSCRIBE", "news")))
        expected = kind + b"3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
        while not data.endswith(expected):
            data += subscriber.recv(65536)
        assert client.publish("news", "hello") == 1
        expected = kind + b"3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
        assert subscriber.recv(len(expected), socket.MSG_WAITALL) == expected


def test_many_clients_share_a_connection(remote: PoolProcess, server: Path) -> None:
    with ExitStack() as stack, direct(server) as admin:
        socks = [stack.enter_context(closing(remote.connect())) for _ in range(40)]
        for number, sock in enumerate(socks):
            Client(sock)("SET", f"k{number}", number)
        clients = admin("CLIENT", "LIST").decode().splitlines()

    assert len(clients) <= 1 + 2, "one of each worker"


def test_the_server_ends_and_comes_back(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        running = pool(kv_toml(workers=1, store=f"unix://{path}"))
        sock = running.connect()
        client = Client(sock)
        assert client("SET", "a", "1") == b"OK"
        blocked = Client(running.connect())
        blocked.send("BLPOP", "queue", "0")
        subscriber = Client(running.connect())
        subscriber("SUBSCRIBE", "news")
        with direct(path) as admin:
            wait_until(lambda: b"cmd=blpop" in admin("CLIENT", "LIST"), what="the server has the command")

    assert "the store has failed: " in str(blocked.receive())
    with pytest.raises((EOFError, ConnectionError)):  # it would wait for messages that never come
        subscriber.receive()
    wait_until(lambda: "the store has failed: no connection to" in str(client("GET", "a")), what="an error")
    running.wait_logged("kv_server_failed")

    with running_redis(tmp_path):
        wait_until(lambda: client("SET", "a", "2") == b"OK", what="the server is found again")
        assert blocked("GET", "a") == b"2"
    sock.close()


def test_requests_that_wait_for_a_server_that_stands_still_get_an_error(pool: Pools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        running = pool(kv_toml(workers=1, store=url, store_timeout="1s"))
        client = Client(running.connect())

        assert "the store has failed: no" in str(client("GET", "a"))


def test_a_wrong_password_is_told_and_not_shown(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "sesame") as path:
        wrong = pool(kv_toml(workers=1, store=f"unix://:hunter2@{path}"))
        reply = str(Client(wrong.connect())("GET", "a"))
        right = pool(kv_toml(workers=1, store=f"unix://:sesame@{path}", password="ours"))  # noqa: S106
        client = Client(right.connect())

        assert "refuses the connection: WRONGPASS" in reply
        assert str(client("GET", "a")) == "NOAUTH Authentication required."
        assert client("AUTH", "ours") == b"OK"
        assert client("SET", "a", "1") == b"OK"
        shown = "".join([wrong.stderr, wrong.stdout, str(wrong.status()), reply])
        assert "hunter2" not in shown


def test_what_is_no_redis_is_told(pool: Pools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            sock, _ = other.accept()
            sock.recv(100)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            sock.close()

        thread = threading.Thread(target=answer)
        thread.start()
        running = pool(kv_toml(workers=1, store=f"redis://127.0.0.1:{other.getsockname()[1]}"))
        running.wait_logged("has sent a reply that can't be read")
        thread.join()


def test_a_reload_loses_no_reply(remote: PoolProcess) -> None:
    failures: list[object] = []
    counts = [0] * 4

    def work(place: int, is_over: threading.Event) -> None:
        client = Client(remote.connect())
        key = f"count{place}"
        while not is_over.is_set():
            try:
                counts[place] += 1
                reply = client("INCR", key)
            except EOFError:  # an idle connection that has ended with its worker
                counts[place] -= 1
                client = Client(remote.connect())
                continue
            if reply != counts[place]:
                failures.append((key, counts[place], reply))
                return

    with beside(work, threads=len(counts)):
        for generation in (1, 2):
            remote.request("reload")
            wait_until(lambda wanted=generation: remote.status()["generation"] >= wanted, what="the reload is done")  # type: ignore[misc]
        before = sum(counts)
        wait_until(lambda: sum(counts) > before + 100 or bool(failures), what="requests after the reloads")

    assert failures == []


def test_a_client_that_does_not_read_stops_no_other_and_is_not_read(remote: PoolProcess) -> None:
    with redis_py(remote) as client, closing(remote.connect()) as greedy:
        name = (
            "large" * 2000
        )  # so that the buffers of the sockets have room for some hundred requests, and not for 100,000
        client.set(name, b"x" * 100_000)
        greedy.setblocking(False)
        request = encode(("GET", name))
        sent = 0
        with suppress(BlockingIOError):
            while sent < 1 << 30:
                sent += greedy.send(request[sent % len(request) :])
        assert sent < 1 << 30, "the worker reads no more"
        assert client.get(name) == b"x" * 100_000

        greedy.settimeout(DEADLINE_S)
        reader = Client(greedy)
        for _ in range(sent // len(request)):
            assert len(reader.receive()) == 100_000


def test_limits_of_the_listener_hold(pool: Pools, server: Path) -> None:
    running = pool(kv_toml(workers=1, store=f"unix://{server}", max_request=2000, max_reply=1500))
    client = Client(running.connect())
    client("SET", "a", "x" * 1000)
    client("APPEND", "a", "x" * 1000)

    assert "longer than `max_reply`" in str(client("GET", "a"))
    assert client("STRLEN", "a") == 2000
    assert "Protocol error" in str(client("SET", "a", "x" * 3000))


def test_what_is_not_forwarded_is_told(remote: PoolProcess, clients: Callable[[PoolProcess], Client]) -> None:
    client = clients(remote)

    for command in ("WAIT 0 0", "CLIENT REPLY OFF", "CLIENT KILL a:1", "SHUTDOWN", "REPLICAOF NO ONE"):
        assert "is not forwarded" in str(client(*command.split())), command
    assert client("PING") == b"PONG"
