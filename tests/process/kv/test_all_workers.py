"""Commands about all clients are about those of every worker: CLIENT LIST, KILL, PAUSE, MONITOR, SLOWLOG, INFO."""

from __future__ import annotations

import os
import re
import signal
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Clients = Callable[[PoolProcess], Client]


@pytest.fixture(scope="module")
def two() -> Iterator[PoolProcess]:
    """Two workers: clients go to one and the other in turn."""
    with PoolProcess.run(kv_toml(enable_debug_command="local")) as running:
        yield running


@pytest.fixture
def pair_of_clients(two: PoolProcess, clients: Clients) -> tuple[Client, Client]:
    """One client of each worker."""
    one, other = clients(two), clients(two)
    assert pid_of(one) != pid_of(other)
    return one, other


def pid_of(client: Client) -> int:
    """Return the process ID of its worker."""
    return int(client("CLIENT", "ID")) >> 32


def address(client: Client) -> str:
    host, port = client.sock.getsockname()
    return f"{host}:{port}"


def listed(client: Client, *words: object) -> dict[int, dict[str, str]]:
    lines = client("CLIENT", "LIST", *words).decode().splitlines()
    found = [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]
    return {int(fields["id"]): fields for fields in found}


def is_over(client: Client) -> bool:
    try:
        client("PING")
    except (EOFError, OSError):
        return True
    return False


def has_no_reply(client: Client) -> bool:
    client.sock.settimeout(0.05)
    try:
        client.receive()
    except TimeoutError:
        return True
    finally:
        client.sock.settimeout(DEADLINE_S)
    return False


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_client_list_has_those_of_every_worker(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    one("CLIENT", "SETNAME", "one")
    numbers = {int(one("CLIENT", "ID")), int(other("CLIENT", "ID"))}

    for client in pair_of_clients:
        found = listed(client)
        assert numbers <= set(found)
        assert set(listed(client, "ID", *numbers)) == numbers
        assert set(listed(client, "TYPE", "normal")) >= numbers
        assert not set(listed(client, "TYPE", "pubsub")) & numbers
    fields = found[min(numbers)]
    assert {"addr", "laddr", "name", "age", "idle", "flags", "db", "omem", "cmd", "user"} <= set(fields)
    assert {found[each]["addr"] for each in numbers} == {address(one), address(other)}
    one.send_all([("MULTI",), ("CLIENT", "LIST", "ID", *numbers), ("CLIENT", "LIST", "FOO"), ("EXEC",)])
    *_, (lines, error) = [one.receive() for _ in range(4)]
    assert lines.count(b"\n") == 2
    assert str(error) == "ERR syntax error"


def test_client_list_has_all_letters_that_hold(two: PoolProcess, clients: Clients) -> None:
    plain, waiting, subscribed = (clients(two) for _ in range(3))
    numbers = [int(each("CLIENT", "ID")) for each in (plain, waiting, subscribed)]
    waiting.send("BLPOP", "none", 0)
    subscribed("HELLO", 3)
    subscribed("SUBSCRIBE", "a")
    subscribed.send("MULTI")
    wait_until(lambda: [listed(plain)[each]["flags"] for each in numbers] == ["N", "b", "Px"])


def test_client_kill_ends_those_of_every_worker(two: PoolProcess, clients: Clients) -> None:
    me, *others = (clients(two) for _ in range(8))
    by_number, by_address, by_local, in_multi = others[:4]
    assert {pid_of(each) for each in others[:2]} > {pid_of(me)}

    assert me("CLIENT", "KILL", "ID", by_number("CLIENT", "ID")) == 1
    assert me("CLIENT", "KILL", address(by_address)) == b"OK"
    local = two.urls()[0].removeprefix("tcp://")
    assert me("CLIENT", "KILL", "ADDR", address(by_local), "LADDR", local, "USER", "default") == 1
    me.send_all([("MULTI",), ("CLIENT", "KILL", "ID", in_multi("CLIENT", "ID")), ("EXEC",)])
    assert [me.receive() for _ in range(3)][-1] == [1]
    assert all(map(is_over, others[:4]))
    assert str(me("CLIENT", "KILL", "127.0.0.1:1")) == "ERR No such client"
    assert me("CLIENT", "KILL", "TYPE", "normal") >= 3
    assert all(map(is_over, others[4:]))
    assert me("PING") == b"PONG"


def test_a_worker_that_does_not_answer_is_said(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    other_number = other("CLIENT", "ID")
    with stopped(pid_of(other)):
        refused = str(one("CLIENT", "LIST"))
        killed = str(one("CLIENT", "KILL", "ID", other_number))
        paused = str(one("CLIENT", "PAUSE", 0))

    assert refused == "ERR 1 worker has not answered within 1 s: its clients can't be listed"
    assert killed.startswith("ERR 1 worker has not answered within 1 s: 0 clients")
    assert paused.startswith("ERR 1 worker has not answered within 1 s:")
    assert is_over(other)  # the order has waited for it


def test_client_pause_holds_writes_in_every_worker(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    one("SET", "paused", "before")
    assert one("CLIENT", "PAUSE", 1_000_000, "WRITE") == b"OK"
    for client in pair_of_clients:
        assert client("GET", "paused") == b"before"
        assert client("MULTI") == b"OK"
        assert client("GET", "paused") == b"QUEUED"
        assert client("EXEC") == [b"before"]
    other.send("SET", "paused", "after")
    other.send("GET", "paused")
    assert has_no_reply(other)
    assert one("GET", "paused") == b"before"
    assert one("CLIENT", "UNPAUSE") == b"OK"
    assert [other.receive(), other.receive()] == [b"OK", b"after"]


def test_client_pause_holds_all_for_its_time(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    one.send_all([("CLIENT", "PAUSE", 300), ("PING",)])
    assert one.receive() == b"OK"
    other.send("PING")
    assert has_no_reply(other)
    assert other.receive() == one.receive() == b"PONG"
    for words in (("x",), (-1,), (1, "FOO")):
        assert "ERR" in str(one("CLIENT", "PAUSE", *words))


def test_a_pause_becomes_neither_shorter_nor_narrower(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    assert one("CLIENT", "PAUSE", 1_000_000, "WRITE") == b"OK"
    assert other("CLIENT", "PAUSE", 1, "WRITE") == b"OK"
    one.send("SET", "paused", "1")
    assert has_no_reply(one)
    assert other("CLIENT", "UNPAUSE") == b"OK"
    assert one.receive() == b"OK"
    pauses = [("CLIENT", "PAUSE", 500, "ALL"), ("CLIENT", "PAUSE", 1, "WRITE")]
    other.send_all([("MULTI",), *pauses, ("EXEC",), ("PING",)])
    assert [other.receive() for _ in range(4)][-1] == [b"OK", b"OK"]
    assert has_no_reply(other)
    assert other.receive() == b"PONG"


def test_a_client_that_leaves_in_a_pause_is_forgotten_at_once(two: PoolProcess, clients: Clients) -> None:
    me = clients(two)
    me("CLIENT", "PAUSE", 1_000_000, "WRITE")
    with connect(two.urls()[0]) as sock:
        gone = Client(sock)
        number = int(gone("CLIENT", "ID"))
        gone.send_all([("GET", "gone"), ("SET", "gone", "1"), ("SET", "gone", "2")])
        gone.receive()
    wait_until(lambda: number not in listed(me))
    assert me("CLIENT", "UNPAUSE") == b"OK"
    assert me("GET", "gone") is None


def test_arguments_that_the_others_can_not_be_asked_with_are_refused(pair_of_clients: tuple[Client, Client]) -> None:
    one, _ = pair_of_clients
    for words in (
        ("LIST", "ID", *range(1, 100_000)),
        ("KILL", "ADDR", "x" * 1_000_000),
        ("KILL", *["ADDR", ""] * 100_000),
    ):
        assert str(one("CLIENT", *words)).startswith("ERR arguments of more than 100000 bytes")
    assert one("PING") == b"PONG"


LINES = [
    ("SET", "a", 'x"y\\z\r\n\t\x07\x01é'),
    ("SELECT", 3),
    ("get", "b"),
    ("SELECT", 0),
    ("MULTI",),
    ("SET", "c", 1),
    ("INCR", "c"),
    ("EXEC",),
    ("EVAL", "redis.call('set','d',ARGV[1]) return redis.call('get','d')", 1, "d", "v"),
    ("CONFIG", "GET", "hz"),
    ("CLIENT", "SETNAME", "me"),
    ("CLIENT", "LIST"),
    ("FOO",),
    ("SET", "a"),
    ("AUTH", "secret"),
    ("AUTH", "default", "secret"),
    ("HELLO", 2, "AUTH", "default", "secret"),
    ("HELLO", 2),
    ("BLPOP", "none", "none2", "0.01"),
    ("PUBLISH", "ch", "x"),
    ("SUBSCRIBE", "ch"),
    ("UNSUBSCRIBE", "ch"),
    ("RESET",),
    ("PING",),
]


def lines_of(monitor: Client) -> list[bytes]:
    """Return the lines until the last PING, without what differs: times and addresses."""
    found: list[bytes] = []
    while b'"PING"' not in (line := monitor.receive()):
        found.append(re.sub(rb"^\d+\.\d{6} \[(\d+) (lua|[^\]]+)\]", _head, line))
    return found


def _head(found: re.Match[bytes]) -> bytes:
    return b"[%b %b]" % (found[1], b"lua" if found[2] == b"lua" else b"client")


def test_monitor_shows_the_commands_of_every_worker_as_redis_does(
    two: PoolProcess, clients: Clients, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monitor, one, other = (clients(two) for _ in range(3))
    assert pid_of(one) != pid_of(other)
    with running_redis(tmp_path_factory.mktemp("redis")) as path, ExitStack() as open_sockets:
        made = []
        for _ in range(2):
            sock = open_sockets.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            sock.settimeout(DEADLINE_S)
            sock.connect(str(path))
            made.append(Client(sock))
        theirs, redis = made
        assert theirs("MONITOR") == monitor("MONITOR") == b"OK"
        expected: list[bytes] = []
        for client in (redis, one, other):
            for words in LINES:
                client(*words)
            if client is redis:
                expected = lines_of(theirs)
            else:
                assert lines_of(monitor) == expected
    assert not any(b"secret" in line for line in expected)
    assert [fields["flags"] for fields in listed(one).values()].count("O") == 1
    assert monitor("RESET") == b"RESET"
    one("PING")
    assert monitor("ECHO", "over") == b"over"


def test_long_lines_of_a_monitor_are_cut(two: PoolProcess, clients: Clients) -> None:
    monitor, one = clients(two), clients(two)
    assert monitor("MONITOR") == b"OK"
    for words in ([""] * 400_000, ["\0" * 1_000_000]):
        assert one("RPUSH", "long", *words) >= len(words)
        assert len(monitor.receive()) < 1 << 19
    assert one("DEL", "long") == 1


def test_a_client_that_monitors_has_no_data(pair_of_clients: tuple[Client, Client]) -> None:
    monitor, one = pair_of_clients
    assert monitor("MONITOR") == b"OK"
    for words in (("GET", "a"), ("SET", "a", "1"), ("EVAL", "return 1", 0), ("PUBLISH", "a", "1")):
        assert str(monitor(*words)) == "ERR Replica can't interact with the keyspace"
    assert monitor("RESET") == b"RESET"
    assert monitor("GET", "a") == one("GET", "a")


def test_a_monitor_whose_worker_is_killed_is_no_burden_to_others(clients: Clients) -> None:
    with PoolProcess.run(kv_toml()) as running:
        monitor, one = clients(running), clients(running)
        assert monitor("MONITOR") == b"OK"
        os.kill(pid_of_monitor(one), signal.SIGKILL)
        assert is_over(monitor)
        again = clients(running)
        assert again("SET", "a", "1") == b"OK"
        assert one("GET", "a") == b"1"


def pid_of_monitor(client: Client) -> int:
    return next(number >> 32 for number, fields in listed(client).items() if fields["flags"] == "O")


def test_the_slow_log_is_that_of_every_worker(pair_of_clients: tuple[Client, Client]) -> None:
    one, other = pair_of_clients
    one("CLIENT", "SETNAME", "one")
    assert one("CONFIG", "GET", "slowlog-log-slower-than") == [b"slowlog-log-slower-than", b"10000"]
    assert one("SLOWLOG", "RESET") == b"OK"
    assert one("DEBUG", "SLEEP", "0.011") == b"OK"
    long = ("RPUSH", "slow", *["x" * 200] * 40)
    one("CONFIG", "SET", "slowlog-log-slower-than", 0)
    try:
        wait_until(lambda: other("CONFIG", "GET", "slowlog-log-slower-than")[1] == b"0")
        other(*long)
        other("AUTH", "default", "secret")
        other.send_all([("MULTI",), ("set", "in", "multi"), ("EXEC",)])
        assert [other.receive() for _ in range(3)][-1] == [b"OK"]
        wait_until(lambda: any(each[3][:1] == [b"set"] for each in one("SLOWLOG", "GET", -1)))
    finally:
        one("CONFIG", "SET", "slowlog-log-slower-than", 10_000)
    entries = one("SLOWLOG", "GET", -1)

    by_name = {each[3][0].upper(): each for each in entries}
    number, _, microseconds, words, source, name = by_name[b"DEBUG"]
    assert number == min(each[0] for each in entries)
    assert (words, source.decode(), name) == ([b"DEBUG", b"SLEEP", b"0.011"], address(one), b"one")
    assert microseconds >= 11_000
    assert by_name[b"RPUSH"][3][2:31] == [b"x" * 128 + b"... (72 more bytes)"] * 29
    assert by_name[b"RPUSH"][3][31:] == [b"... (11 more arguments)"]
    assert by_name[b"AUTH"][3] == [b"AUTH", b"(redacted)", b"(redacted)"]
    assert by_name[b"SET"][3] == [b"set", b"in", b"multi"]
    assert b"EXEC" not in by_name
    assert [each[0] for each in entries] == sorted((each[0] for each in entries), reverse=True)
    assert one("SLOWLOG", "GET", 2) == entries[:2]
    assert one("CONFIG", "SET", "slowlog-max-len", 2) == b"OK"
    one("DEBUG", "SLEEP", "0.011")
    wait_until(lambda: one("SLOWLOG", "LEN") == 2)
    assert one("CONFIG", "SET", "slowlog-max-len", 128) == b"OK"


def info(client: Client, *sections: str) -> dict[str, str]:
    lines = client("INFO", *sections).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def test_info_sums_over_the_workers(pair_of_clients: tuple[Client, Client], two: PoolProcess, clients: Clients) -> None:
    one, other = pair_of_clients
    more = [clients(two) for _ in range(4)]
    assert one("SET", "used", "memory") == b"OK"  # an empty store uses none
    assert one("CONFIG", "RESETSTAT") == b"OK"
    for client in (*more, one, other):
        client("FOO")
    wait_until(lambda: info(one)["connected_clients"] == info(other)["connected_clients"] == str(len(listed(one))))
    wait_until(lambda: info(one)["total_error_replies"] == "6")

    found = info(one)
    assert info(other)["errorstat_ERR"] == "count=6"
    assert int(found["total_commands_processed"]) >= 6
    assert int(found["total_net_input_bytes"]) > 6 * len("*1\r\n$3\r\nFOO\r\n")
    assert int(found["total_net_output_bytes"]) > 1000
    assert int(found["used_memory_peak"]) >= int(found["used_memory"]) > 0
    assert int(found["used_memory_rss"]) > 10_000_000
    assert float(found["used_cpu_user"]) > 0
    assert info(one, "server")["run_id"] == info(other, "server")["run_id"]


def test_totals_of_a_killed_worker_stay(clients: Clients) -> None:
    with PoolProcess.run(kv_toml()) as running:
        one, other = clients(running), clients(running)
        for _ in range(100):
            other("PING")
        wait_until(lambda: int(info(one)["total_commands_processed"]) >= 100)
        assert info(one)["connected_clients"] == "2"
        os.kill(pid_of(other), signal.SIGKILL)
        wait_until(lambda: info(one)["connected_clients"] == "1")
        assert int(info(one)["total_commands_processed"]) >= 100
        assert int(info(one)["total_connections_received"]) >= 2


def test_the_average_time_to_live_is_estimated(kv: PoolProcess, clients: Clients) -> None:
    client = clients(kv)
    for number in range(50):
        client("SET", f"ttl{number}", "x", "EX", 1000)
    client("SET", "for ever", "x")
    found = re.fullmatch(r"keys=51,expires=50,avg_ttl=(\d+)", info(client, "keyspace")["db0"])
    assert found
    assert 0 < int(found[1]) <= 1_000_000
