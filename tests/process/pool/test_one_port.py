"""One port, many protocols: curl, redis-cli, a protocol of one's own and one that speaks first share it."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING

from operated import reload_by_signal
from sources import metadata, source

from corepool.spec.transport import Endpoint
from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 2
respawn_delay = "50ms"
respawn_delay_max = "50ms"
[[listener]]
name = "all"
bind = "{bind}"
protocols = [{protocols}]
{lines}
[listener.protocol_options.http]
root = "public"
[listener.protocol_options.kv]
store = "lmdb:data"
[[listener]]
name = "metrics"
bind = "127.0.0.1:0"
protocol = "admin"
"""
PORTS = {
    "ports.py": source("plugins/ports.py"),
    **metadata("ports", "[corepool.protocols]\nmine = ports:Mine\ngreeter = ports:Greeter\n"),
    "public/index.html": "a page\n",
}
ALL = '"http", "kv", "mine", "greeter"'
NEVER = 'default = "greeter"\nsniff_timeout = "1h"'


def start(
    pool: Pools, lines: str = NEVER, protocols: str = ALL, bind: str = "127.0.0.1:0", *, traceback: bool = False
) -> PoolProcess:
    return pool(TOML.format(bind=bind, protocols=protocols, lines=lines), files=PORTS, traceback=traceback)


def port(running: PoolProcess) -> int:
    (url,) = running.urls("all")
    found = Endpoint.parse(url).port
    assert found is not None
    return found


def run(*command: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)  # noqa: S603 - the tests' own
    return done.stdout


def answer(client: socket.socket, line: bytes) -> tuple[int, int]:
    """Return the worker, and the number of the line on this connection."""
    client.sendall(line)
    found = client.recv(100).split()
    return int(found[0]), int(found[-1])


def protocols(running: PoolProcess) -> dict[str, int]:
    [listener] = [each for each in running.status()["listeners"] if each["name"] == "all"]
    return {each["name"]: each["accepted"] for each in listener["protocols"]}


def unmatched(running: PoolProcess) -> int:
    return running.status()["totals"]["unmatched"]


def test_curl_redis_cli_and_protocols_of_ones_own_share_a_port(pool: Pools) -> None:
    running = start(pool)
    number = str(port(running))
    assert run("curl", "-sS", f"http://127.0.0.1:{number}/index.html") == "a page\n"
    assert run("redis-cli", "-p", number, "SET", "key", "value") == "OK\n"
    assert run("redis-cli", "-p", number, "GET", "key") == "value\n"
    for request, reply in (
        (b"PING\r\n", b"+PONG\r\n"),
        (b"GET key\r\n", b"$5\r\nvalue\r\n"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 405"),
        (b"something else\n", b"220 welcome\nsomething else\n"),
    ):
        with running.connect("all") as client:
            client.sendall(request)
            assert receive_exactly(client, len(reply)) == reply
    with running.connect("all") as client:
        assert answer(client, b"MINE\n")[1] == 1
    with running.connect("all") as client:
        client.sendall(b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client).count(b"a page\n") == 2, "pipelined requests are all there"

    wait_until(lambda: protocols(running) == {"http": 3, "kv": 4, "mine": 1, "greeter": 1})
    text = run("curl", "-sS", running.urls("metrics")[0].replace("tcp", "http") + "/metrics")
    assert 'corepool_protocol_accepted_total{listener="all",protocol="http"} 3.0' in text
    assert 'corepool_listener_unmatched_total{listener="all"} 0.0' in text
    totals = running.status()["totals"]
    [listener] = [each for each in running.status()["listeners"] if each["name"] == "all"]
    assert listener["bytes_in"] <= totals["bytes_in"]


def test_a_protocol_that_speaks_first_does_so_after_a_silence(pool: Pools) -> None:
    running = start(pool, 'default = "greeter"\nsniff_timeout = "100ms"')
    with running.connect("all") as client:
        assert receive_exactly(client, 12) == b"220 welcome\n"
        client.sendall(b"PING\r\n")
        assert receive_exactly(client, 6) == b"PING\r\n", "it stays with its protocol"


def test_a_client_that_ends_its_side_early_has_the_default(pool: Pools) -> None:
    running = start(pool)
    for beginning in (b"", b"GET", b"*1", b"MI"):
        with running.connect("all") as client:
            client.sendall(beginning)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"220 welcome\n" + beginning


def test_bytes_of_no_protocol_are_counted_and_logged(pool: Pools) -> None:
    running = start(pool, "", '"http", "kv", "mine"')
    for beginning in (b"\x16\x03\x01\x02\x00", b"~" * 5000, b"GET"):
        with running.connect("all") as client:
            client.sendall(beginning)
            client.shutdown(socket.SHUT_WR)
            try:
                assert receive_all(client) == b""
            except ConnectionResetError:
                pass  # it had sent more than was looked at
    running.connect("all").close()

    wait_until(lambda: unmatched(running) == 3)
    running.wait_logged("connection_unmatched", "listener=all")


def test_connections_go_on_through_reloads_that_change_the_list(pool: Pools) -> None:
    running = start(pool)
    mine, waiting = running.connect("all"), running.connect("all")
    first, number = answer(mine, b"MINE\n")
    waiting.sendall(b"MI")
    for lines, names, count in (
        ('default = "mine"', '"kv", "mine"', 2),
        (NEVER, ALL, 3),
    ):
        toml = TOML.format(bind="127.0.0.1:0", protocols=names, lines=lines)
        if '"http"' not in names:
            toml = toml.replace('[listener.protocol_options.http]\nroot = "public"\n', "")
        (running.directory / "corepool.toml").write_text(toml)
        before = set(running.workers())
        reload_by_signal(running)
        wait_until(lambda before=before: not before & set(running.workers()) and len(running.workers()) == 2)
        worker, number = answer(mine, b"MINE\n")
        assert (worker != first, number) == (True, count)
    assert answer(waiting, b"NE\n")[1] == 1
    assert running.status()["totals"]["closed"] == 0


def test_a_listener_with_one_protocol_becomes_one_with_several_and_back(pool: Pools) -> None:
    several = TOML.format(bind="127.0.0.1:0", protocols='"mine", "greeter"', lines=NEVER)
    several = several.partition("[listener.protocol_options.http]")[0]
    single = several.replace('protocols = ["mine", "greeter"]\n' + NEVER, 'protocol = "mine"')
    running = pool(single, files=PORTS)
    mine = running.connect("all")
    assert answer(mine, b"MINE\n")[1] == 1
    waiting: list[socket.socket] = []
    for count, toml in enumerate((several, single), 2):
        (running.directory / "corepool.toml").write_text(toml)
        before = set(running.workers())
        reload_by_signal(running)
        wait_until(lambda before=before: not before & set(running.workers()) and len(running.workers()) == 2)
        assert answer(mine, b"MINE\n")[1] == count
        waiting.append(running.connect("all"))
    for each in waiting:
        assert answer(each, b"MINE\n")[1] == 1
    assert running.status()["totals"]["closed"] == 0


def test_after_a_crash_each_client_hears_from_its_protocol(pool: Pools) -> None:
    running = start(pool, f"keep_on_crash = true\n{NEVER}", traceback=True)
    clients = [running.connect("all") for _ in range(8)]
    undecided = [running.connect("all") for _ in range(8)]
    for client in undecided:
        client.sendall(b"M")
    workers = {client: answer(client, b"MINE\n")[0] for client in clients}
    victim = workers[clients[0]]
    clients[0].sendall(b"MINE die\n")
    assert receive_all(clients[0]) == b"lost mine\n"
    for client in clients[1:]:
        worker, number = answer(client, b"MINE\n")
        assert (number, worker != victim) == (2, True)
    for client in undecided:
        assert answer(client, b"INE\n")[1] == 1
    with running.connect("all") as client:
        client.sendall(b"DIE\0")  # in `matches`: no protocol knows it yet
        assert receive_all(client) == b""
    wait_until(lambda: len(running.workers()) == 2)
