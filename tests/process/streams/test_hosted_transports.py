"""The promises of asyncio to protocols, and of a socket to handlers, hold where they are hosted."""

from __future__ import annotations

import http.client
import os
import signal
import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from operated import reload_by_signal
from sources import source
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_websocket

from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("served/hosted_transports.py")
TOML = """
[pool]
workers = 1
drain_timeout = 5
[[listener]]
name = "it"
bind = ["{bind}"]
protocol = "{protocol}"
options = {{ target = "application:{target}" {more} }}
"""


def start(
    pool: Pools,
    target: str,
    *,
    protocol: str = "asyncio",
    bind: str = "tcp://127.0.0.1:0",
    more: str = "",
    traceback: bool = False,
) -> PoolProcess:
    toml = TOML.format(protocol=protocol, target=target, bind=bind, more=more)
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    return pool(toml, files={"application.py": SOURCE}, environment=environment, traceback=traceback)


def ask(client: socket.socket, command: bytes, reply: bytes) -> None:
    client.sendall(command + b"\n")
    assert receive_exactly(client, len(reply)) == reply


@pytest.mark.parametrize(("bind", "length"), [("tcp://127.0.0.1:0", 2), ("tcp://[::1]:0", 4)])
def test_a_transport_knows_its_facts(pool: Pools, bind: str, length: int) -> None:
    running = start(pool, "Lab", bind=bind)
    with running.connect() as client:
        ask(client, b"facts", f"True {length} none (16384, 65536) True True\n".encode())


def test_a_socket_that_was_asked_for_is_closed_once(pool: Pools) -> None:
    """Closed twice, its number would be another file's by then: here of one that is opened in the same turn."""
    running = start(pool, "Lab")
    (worker,) = (psutil.Process(pid) for pid in running.workers())
    with running.connect() as asks, running.connect() as opens:
        ask(opens, b"wrong", b"refused\n")
        ask(asks, b"facts", b"True 2 none (16384, 65536) True True\n")  # last: so epoll has it first, however soon

        worker.suspend()
        wait_until(lambda: worker.status() == psutil.STATUS_STOPPED)
        asks.shutdown(socket.SHUT_WR)
        opens.sendall(b"open\n")
        worker.resume()

        assert receive_all(asks) == b"bye\n"
        assert receive_exactly(opens, 7) == b"opened\n"
        wait_until(lambda: running.status()["totals"]["closed"] == 1)
        ask(opens, b"write", b"written\n")
    assert (running.directory / "theirs").read_bytes() == b"whole"


def test_a_transport_ends_its_side_before_the_peer_does(pool: Pools) -> None:
    running = start(pool, "Lab")
    with running.connect() as client:
        client.sendall(b"end\n")
        assert receive_all(client) == b"no more\n"
        assert (running.directory / "refused").exists()
        client.sendall(b"note\n")
        wait_until((running.directory / "noted").exists, what="it still listens")


def test_what_can_not_be_written_is_refused(pool: Pools) -> None:
    with start(pool, "Lab").connect() as client:
        ask(client, b"wrong", b"refused\n")


def test_limits_of_zero_wait_for_every_byte(pool: Pools) -> None:
    with start(pool, "Lab").connect() as client:
        ask(client, b"limits", b"x\npause written resume\n")


def test_another_protocol_goes_on_and_says_something_after_the_end(pool: Pools) -> None:
    with start(pool, "Lab").connect() as client:
        ask(client, b"other", b"other\n")
        client.sendall(b"abc")
        assert receive_exactly(client, 7) == b"<ab><c>"
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"later"


def test_connection_lost_is_told_what_a_protocol_has_raised(pool: Pools) -> None:
    running = start(pool, "Lab", traceback=True)
    with running.connect() as client:
        client.sendall(b"fail\n")
        assert receive_all(client) == b""
    lost = running.directory / "lost"
    wait_until(lambda: lost.exists() and lost.read_text().endswith("\n"))
    assert lost.read_text() == "ValueError('asked to fail') True None True\n"


def test_coroutines_clean_up_when_their_worker_ends(pool: Pools) -> None:
    running = start(pool, "streams", more=", idle_after = 0")
    with running.connect() as client:
        ask(client, b"one", b"one\n")
        running.stop()
    assert (running.directory / "ended").exists()
    assert (running.directory / "cleaned up").exists()


def test_a_starter_that_fails_later_costs_its_worker(pool: Pools) -> None:
    running = start(pool, "fails_later", traceback=True)
    (before,) = running.workers()
    (running.directory / "fail").touch()
    wait_until(lambda: running.workers() and running.workers() != [before])
    running.wait_logged("ValueError: asked to fail later")
    with running.connect() as client:
        ask(client, b"one", b"one\n")


def test_a_starter_that_fails_again_and_again_is_restarted_with_back_off(pool: Pools) -> None:
    running = start(pool, "fails_later", traceback=True)
    for count in (1, 2):
        (running.directory / "fail").touch()
        wait_until(lambda count=count: running.status()["totals"]["restarts"] == count)
        wait_until(lambda count=count: running.stderr.count("worker_ready") == count + 1)
        # The one that has failed may end after the next is ready.
        wait_until(lambda count=count: running.stderr.count('cause=crash status="exit status 70"') == count)
    assert running.stderr.count("worker_respawns slot=0") == 2
    running.wait_logged("target = 'application:fails_later'")


def test_a_reload_to_a_starter_that_fails_at_once_is_refused(pool: Pools) -> None:
    running = start(pool, "main", traceback=True)
    before = running.workers()
    source = SOURCE.replace("async def main", "async def old_main").replace("async def fails_at_once", "async def main")
    (running.directory / "application.py").write_text(source)
    reload_by_signal(running)
    assert running.status()["reload"]["state"] == "failed"
    assert running.workers() == before
    with running.connect() as client:
        ask(client, b"one", b"one\n")


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("two", "it starts a second server; corepool serves the first one only"),
        ("never", "it has not called loop.create_server within boot_timeout (6 s)"),
        ("fails_at_once", "ConnectionRefusedError"),
    ],
)
def test_a_starter_that_can_not_be_hosted_is_refused(pool: Pools, target: str, says: str) -> None:
    toml = TOML.format(protocol="asyncio", target=target, bind="tcp://127.0.0.1:0", more="")
    if target == "never":
        toml = toml.replace("workers = 1", "workers = 1\nboot_timeout = 6")
    running = pool(toml, files={"application.py": SOURCE}, wait=False, exit_status=3, traceback=True)
    running.wait()
    assert says in running.stderr


def test_a_starter_that_takes_its_time_is_told_of(pool: Pools) -> None:
    toml = TOML.format(protocol="asyncio", target="waits", bind="tcp://127.0.0.1:0", more="")
    toml = toml.replace("workers = 1", "workers = 1\nboot_timeout = 10")
    running = pool(toml, files={"application.py": SOURCE}, wait=False)
    running.wait_logged("hosted_server_missing target=application:waits left_s=")
    (running.directory / "go").touch()
    running.wait_notified("READY=1")
    with running.connect() as client:
        ask(client, b"one", b"one\n")


def test_a_server_knows_its_address(pool: Pools) -> None:
    running = start(pool, "main")
    port = running.urls()[0].rpartition(":")[2]
    assert (running.directory / "serving").read_text() == f"('127.0.0.1', {port})"


def test_the_signals_of_a_worker_stay_its_own(pool: Pools) -> None:
    running = start(pool, "wants_signals")
    (before,) = running.workers()
    wait_until((running.directory / "asked").exists)
    running.wait_logged("hosted_signal_handler_refused")
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: running.workers() and running.workers() != [before])


def test_a_starter_that_closes_its_server_and_returns_costs_its_worker(pool: Pools) -> None:
    running = start(pool, "closes", traceback=True)
    (before,) = running.workers()
    (running.directory / "close").touch()
    wait_until(lambda: running.workers() and running.workers() != [before])
    running.wait_logged("it has closed its server and returned")


def test_limits_that_are_raised_while_writing_is_paused_resume_it(pool: Pools) -> None:
    with start(pool, "Lab").connect() as client:
        ask(client, b"raised", b"more than one byte\npause resume\n")


def test_a_file_is_sent(pool: Pools) -> None:
    running = start(pool, "Lab")
    (running.directory / "file").write_bytes(b"x" * 1_000_000)
    with running.connect() as client:
        client.sendall(b"file\n")
        assert receive_exactly(client, 1_000_000 + 8) == b"x" * 1_000_000 + b"1000000\n"
        ask(client, b"wrong", b"refused\n")


def test_each_connection_has_a_context_of_its_own(pool: Pools) -> None:
    running = start(pool, "Lab")
    with running.connect() as one, running.connect() as two:
        ask(one, b"login", b"logged in\nlogged in\n")
        ask(two, b"who", b"nobody\nnobody\n")
        ask(one, b"who", b"logged in\nlogged in\n")


def test_a_request_is_what_a_handler_expects_of_a_socket(pool: Pools) -> None:
    running = start(pool, "Both", protocol="socketserver")
    with running.connect() as client:
        client.sendall(b"1234line\n")
        answer = receive_all(client).decode().splitlines()
    assert answer[0] == r"b'1234' 'line\n' 0"
    assert answer[1] == answer[2]
    assert "always blocks" in answer[1]
    assert "recv: expected 0 bytes or more; got -1" in answer[3]
    assert "buffer too small" in answer[4]
    closed = running.directory / "closed"
    wait_until(lambda: closed.exists() and "Bad file descriptor" in closed.read_text())


def test_websockets_are_told_that_their_worker_leaves(pool: Pools) -> None:
    running = start(pool, "websocket")
    with connect_websocket(running.urls()[0].replace("tcp://", "ws://")) as client:
        client.send("hello")
        assert client.recv(timeout=60) == "hello"
        reload_by_signal(running)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_an_http_server_of_the_standard_library_is_hosted(pool: Pools) -> None:
    running = start(pool, "Web", protocol="socketserver")
    client = http.client.HTTPConnection(running.urls()[0].removeprefix("tcp://"), timeout=60)
    for size in (5, 500_000):
        client.request("POST", "/", b"x" * size)
        response = client.getresponse()
        assert response.status == 200
        assert response.read() == b"X" * size
    client.close()


def test_a_line_may_be_as_long_as_the_option_says(pool: Pools) -> None:
    running = start(pool, "Lines", protocol="socketserver", more=", limit = 300_000")
    with running.connect() as client:
        client.sendall(b"x" * 299_999 + b"\n" + b"y\n" + b"z" * 300_001)
        assert receive_all(client) == b"300000\n2\n"


def test_a_handler_ends_its_side_before_the_peer_does(pool: Pools) -> None:
    running = start(pool, "Half", protocol="socketserver")
    with running.connect() as client:
        assert receive_all(client) == b"no more"
        client.sendall(b"but I do\n")
    after = running.directory / "after"
    wait_until(lambda: after.exists() and after.read_text() == "but I do\n")
