"""The traps of moving a connection, one by one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from operated import corepool, reload_by_signal
from sources import metadata, source
from steady import APPLICATION, TOML
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1"}
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


def start(pool: Pools, workers: int = 1, http: str = "", listener: str = "") -> PoolProcess:
    toml = TOML.format(workers=workers, pool="drain_timeout = 5", listener=listener, http=http)
    return pool(toml, files={"application.py": APPLICATION}, environment=ENVIRONMENT)


def reload(running: PoolProcess) -> None:
    """Reload, and wait for the old workers to be gone."""
    reload_by_signal(running)
    wait_until(lambda: {each["state"] for each in running.status()["workers"]} == {"ready"})


def ask(client: socket.socket, path: bytes) -> None:
    client.sendall(GET % path)
    assert client.recv(1000).endswith(path)


def test_the_time_it_was_idle_goes_with_it(pool: Pools) -> None:
    """It moves again and again, each time before it has been idle for long enough in any worker."""
    running = start(pool, http="keep_alive = 3")
    with running.connect("http") as client:
        began = time.monotonic()
        ask(client, b"one")

        def is_closed_after_a_reload() -> bool:
            reload(running)
            try:
                return client.recv(1, socket.MSG_DONTWAIT) == b""
            except BlockingIOError:
                return False

        client.setblocking(False)
        wait_until(is_closed_after_a_reload)
        assert time.monotonic() - began >= 2.9
    assert running.status()["totals"]["moved"] >= 1


def test_a_transaction_is_waited_for(pool: Pools) -> None:
    running = start(pool)
    with running.connect("kv") as client:
        client.sendall(b"MULTI\r\nINCR key\r\n")
        assert client.recv(100) == b"+OK\r\n+QUEUED\r\n"
        reload_by_signal(running)
        client.sendall(b"EXEC\r\n")
        assert client.recv(100) == b"*1\r\n:1\r\n"
        wait_until(lambda: running.status()["totals"]["moved"] == 1)
        client.sendall(b"INCR key\r\n")
        assert client.recv(100) == b":2\r\n"


def test_half_a_request_is_waited_for(pool: Pools) -> None:
    running = start(pool)
    with running.connect("http") as client:
        request = GET % b"halves"
        client.sendall(GET % b"whole" + request[:20])
        assert client.recv(1000).endswith(b"/whole")  # and so the half has arrived, too
        reload_by_signal(running)
        client.sendall(request[20:])
        assert client.recv(1000).endswith(b"/halves")
        wait_until(lambda: running.status()["totals"]["moved"] == 1)


def test_a_websocket_is_told_that_its_server_goes(pool: Pools) -> None:
    application = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass
"""
    toml = TOML.format(workers=1, pool="drain_timeout = 10", listener="", http="")
    running = pool(toml, files={"application.py": application}, environment=ENVIRONMENT)
    with connect_websocket(running.urls()[1].replace("tcp://", "ws://")) as client:
        reload_by_signal(running)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_clients_that_leave_meanwhile_leave_nothing_behind(pool: Pools) -> None:
    running = start(pool, workers=2)
    for _ in range(5):
        clients = [running.connect("kv") for _ in range(60)]
        for client in clients:
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        running.send_signal(signal.SIGHUP)
        for client in clients:
            client.close()
        wait_until(lambda: running.status()["reload"]["state"] == "done")
    wait_until(lambda: running.status()["totals"]["closed"] == running.status()["totals"]["accepted"] == 300)
    for listener in running.status()["listeners"]:
        assert listener["active"] == 0
    wait_until(lambda: len(list(Path(f"/proc/{running.pid}/fd").iterdir())) < 40)


COUNTER = source("plugins/counter.py")
ENTRY_POINT = {
    **metadata("counter", "[corepool.protocols]\ncounter = counter:Counter\n"),
}
COUNTER_TOML = """
[pool]
workers = 1
respawn_delay = "50ms"
[[listener]]
name = "counter"
bind = ["unix://{folder}/counter.sock"]
protocol = "counter"
{more}
"""


def start_counter(pool: Pools, folder: Path, source: str, more: str = "", **keywords: bool) -> PoolProcess:
    files = {**ENTRY_POINT, "counter.py": source}
    return pool(COUNTER_TOML.format(folder=folder, more=more), files=files, environment=ENVIRONMENT, **keywords)


def test_a_state_that_cannot_be_read_is_refused_politely(pool: Pools, tmp_path: Path) -> None:
    running = start_counter(pool, tmp_path, COUNTER)
    url = f"unix://{tmp_path}/counter.sock"
    with connect(url) as lucky, connect(url) as unlucky:
        lucky.sendall(b"\n" * 12)
        assert lucky.recv(10) == b"12\n"
        unlucky.sendall(b"\n" * 13)
        assert unlucky.recv(10) == b"13\n"
        reload(running)
        assert receive_all(unlucky) == b""
        lucky.sendall(b"\n")
        assert lucky.recv(10) == b"13\n"
    running.wait_logged("an unlucky number")
    assert running.status()["totals"]["refused"] == 1


def test_a_state_of_another_version_is_refused_politely(pool: Pools, tmp_path: Path) -> None:
    running = start_counter(pool, tmp_path, COUNTER)
    with connect(f"unix://{tmp_path}/counter.sock") as client:
        client.sendall(b"\n")
        assert client.recv(10) == b"1\n"
        (running.directory / "counter.py").write_text(COUNTER.replace("frozen_version = 1", "frozen_version = 2"))
        assert corepool(running, "upgrade").returncode == 0
        assert receive_all(client) == b""
    assert running.status()["totals"]["refused"] == 1
    assert corepool(running, "stop").returncode == 0
    assert running.wait() == 0


def test_extensions_go_with_it(pool: Pools, tmp_path: Path) -> None:
    more = (
        'extensions = ["accesslog", "limits"]\n'
        f'extension_options = {{ accesslog = {{ file = "{tmp_path}/access.log", format = "json" }}, '
        "limits = { total = 2 } }\n"
    )
    running = start_counter(pool, tmp_path, COUNTER, more)
    url = f"unix://{tmp_path}/counter.sock"
    with connect(url) as one, connect(url) as two:
        for client in (one, two):
            client.sendall(b"\n")
            assert client.recv(10) == b"1\n"
        began = time.monotonic()
        for _ in range(3):
            reload(running)
        held_s = time.monotonic() - began
        with connect(url) as third:
            assert receive_all(third) == b"", "two are there, and they are counted"
        one.sendall(b"\n")
        assert one.recv(10) == b"2\n"
    path = tmp_path / "access.log"
    wait_until(lambda: path.exists() and len(path.read_text().splitlines()) == 3)
    lines = sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda line: line["out"])
    assert [line["out"] for line in lines] == [0, 2, 4]
    assert [line["in"] for line in lines] == [0, 1, 2]
    assert lines[2]["duration_s"] > held_s


def test_a_protocol_that_cannot_freeze_drains(pool: Pools, tmp_path: Path) -> None:
    source = re.sub(r"    @hookimpl\n    def on_freeze.*", "", COUNTER, flags=re.DOTALL)
    running = start_counter(pool, tmp_path, source)
    with connect(f"unix://{tmp_path}/counter.sock") as client:
        client.sendall(b"\n")
        assert client.recv(10) == b"1\n"
        reload(running)
        assert receive_all(client) == b""
    assert running.status()["totals"]["moved"] == 0


@pytest.mark.parametrize("more", ["", "keep_on_crash = true"])
def test_a_state_that_is_not_bytes_costs_no_other_connection(pool: Pools, tmp_path: Path, more: str) -> None:
    source = COUNTER.replace('return b"%d" % conn.session', "return str(conn.session)")
    running = start_counter(pool, tmp_path, source, more, traceback=True)
    url = f"unix://{tmp_path}/counter.sock"
    with connect(url) as one, connect(url) as two:
        for client in (one, two):
            client.sendall(b"\n")
            assert client.recv(10) == b"1\n"
        one.sendall(b"\n")
        assert one.recv(10) == b"2\n"
        reload(running)
        assert receive_all(one) == receive_all(two) == b""
    wait_until(lambda: len(running.status()["workers"]) == 1, what="the one before has drained")
    running.wait_logged("counter.Counter: on_freeze gave str; it has to be bytes, or None")
    assert "drain_timed_out" not in running.stderr
    assert running.status()["totals"]["moved"] == 0


def test_a_version_that_cannot_be_sent_is_a_mistake(pool: Pools, tmp_path: Path) -> None:
    running = start_counter(
        pool, tmp_path, COUNTER.replace("frozen_version = 1", "frozen_version = 70_000"), wait=False, exit_status=2
    )
    running.wait()
    assert "counter.Counter.frozen_version is 70000; expected 0 to 65535" in running.stderr


def test_half_of_the_two_hooks_is_a_mistake(pool: Pools, tmp_path: Path) -> None:
    source = re.sub(r"    @hookimpl\n    def on_thaw.*", "", COUNTER, flags=re.DOTALL)
    running = start_counter(pool, tmp_path, source, wait=False, exit_status=2)
    running.wait()
    assert "counter.Counter has only one of on_freeze and on_thaw" in running.stderr


def test_the_example_of_the_documentation(pool: Pools, tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "moving.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    running = start_counter(pool, tmp_path, source, "keep_on_crash = true")
    with connect(f"unix://{tmp_path}/counter.sock") as client:
        for number in range(1, 6):
            client.sendall(b"\n")
            assert client.recv(10) == b"%d\n" % number
            if number % 2:
                reload(running)
            else:
                (pid,) = running.workers()
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda pid=pid: running.workers() not in ([], [pid]))


def test_a_connection_busy_in_two_crashes_is_not_served_a_third_time(pool: Pools, tmp_path: Path) -> None:
    source = (
        COUNTER.replace("from corepool", "import os, signal\nfrom corepool")
        + """
    @hookimpl
    def on_lost(self, conn):
        os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    source = source.replace("        conn.session += ", "        if conn.recv() == b'die\\n':\n            "
                            "os.kill(os.getpid(), signal.SIGKILL)\n        conn.session += ")  # fmt: skip
    running = start_counter(pool, tmp_path, source, "keep_on_crash = true")
    url = f"unix://{tmp_path}/counter.sock"
    with connect(url) as idle, connect(url) as deadly:
        deadly.sendall(b"die\n")
        assert receive_all(deadly) == b""
        running.wait_logged("crashing_connection_closed")
        assert running.status()["totals"]["restarts"] >= 1
        wait_until(running.workers)
        idle.sendall(b"\n")
        assert idle.recv(10) == b"0\n", "the first of its bytes is looked at by the test"


@pytest.mark.parametrize("workers", [2, 4])
def test_a_master_with_few_descriptors_loses_none_that_moves(pool: Pools, workers: int) -> None:
    """They wait in the channels of the workers that hand them back, until there is room."""
    toml = f"""
[pool]
workers = {workers}
surge = {workers}
[process]
nofile = 256
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""
    running = pool(toml)
    clients = [running.connect() for _ in range(200 * workers)]
    for client in clients:
        client.sendall(b"before")
        assert client.recv(100) == b"before"

    reload(running)

    for client in clients:
        client.sendall(b"after")
        assert client.recv(100) == b"after"
        client.close()
    assert running.status()["totals"]["moved"] == len(clients)
    assert "lost" not in running.stderr
