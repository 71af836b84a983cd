"""keep_on_crash: a worker dies, and its idle connections go on in another; busy ones get an error."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from steady import APPLICATION, HTTP_FAREWELL, KV_FAREWELL, TOML, Steady

from corepool.testing.sockets import receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS = int(os.environ.get("TEST_CLIENTS", "100"))
KILLS = int(os.environ.get("TEST_KILLS", "4"))

POISON = """
import os, signal, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/block":
        open("blocked", "w").close()
        time.sleep(60)
    if path == "/part":
        write = start_response("200 OK", [("Content-Length", "100")])
        write(b"half")
        open("blocked", "w").close()
        time.sleep(60)
    start_response("200 OK", [])
    return [path.encode()]
"""


def start(pool: Pools, workers: int = 2, application: str = APPLICATION, http: str = "") -> PoolProcess:
    toml = TOML.format(
        workers=workers,
        pool='respawn_delay = "50ms"\nrespawn_delay_max = "50ms"',
        listener="keep_on_crash = true",
        http=http,
    )
    files = {"application.py": application}
    return pool(toml, files=files, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=True)


def kill(running: PoolProcess, slot: int = 0) -> None:
    pid = running.workers()[slot]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: pid not in [each["pid"] for each in running.status()["workers"]])


def test_a_worker_is_killed_again_and_again(pool: Pools) -> None:
    running = start(pool)
    with Steady(*running.urls(), clients=CLIENTS, pause_s=0.1 + CLIENTS / 2000) as load:
        load.wait_for_replies()
        for number in range(KILLS):
            wait_until(lambda: len(running.workers()) == 2)
            kill(running, number % 2)
            load.wait_for_replies(CLIENTS // 2)
            time.sleep(float(os.environ.get("TEST_KILL_EVERY", "0")))
        wait_until(lambda: len(running.workers()) == 2)
    totals = running.status()["totals"]
    assert load.failures == []
    assert load.interrupted == totals["interrupted"]
    assert totals["survived"] + totals["interrupted"] >= CLIENTS // 4 * KILLS
    assert load.interrupted <= KILLS * 2, "a worker is busy with one at a time, and may be about to begin another"
    assert totals["refused"] == 0
    wait_until(lambda: running.status()["totals"]["closed"] == CLIENTS)


def test_the_session_goes_with_it(pool: Pools) -> None:
    running = start(pool, workers=1)
    with running.connect("kv") as client:
        for command, reply in (
            (b"CLIENT SETNAME somebody", b"+OK"),
            (b"HELLO 3", b"%"),
            (b"SET key value", b"+OK"),
            (b"CLIENT ID", b":"),
        ):
            client.sendall(command + b"\r\n")
            answer = client.recv(1000)
            assert answer.startswith(reply)
        for _ in range(2):
            kill(running)
            client.sendall(b"CLIENT ID\r\n")
            assert client.recv(100) == answer
            client.sendall(b"CLIENT GETNAME\r\n")
            assert client.recv(100) == b"$8\r\nsomebody\r\n"
            client.sendall(b"GET nothing\r\n")
            assert client.recv(100) == b"_\r\n", "RESP3's null"


def test_a_transaction_is_sent_an_error(pool: Pools) -> None:
    running = start(pool)
    with running.connect("kv") as client:
        client.sendall(b"MULTI\r\nINCR key\r\n")
        assert client.recv(100) == b"+OK\r\n+QUEUED\r\n"
        kill(running, next(number for number, each in enumerate(running.status()["workers"]) if each["connections"]))
        assert receive_all(client) == b""


@pytest.mark.parametrize("kept", [b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n", b""])
def test_idle_connections_are_usable_and_busy_ones_are_sent_an_error(pool: Pools, kept: bytes) -> None:
    running = start(pool, workers=1, application=POISON)
    with running.connect("http") as idle, running.connect("http") as busy:
        if kept:
            idle.sendall(kept)
            assert idle.recv(1000).endswith(b"/one")
        busy.sendall(b"GET /block HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((running.directory / "blocked").exists)
        idle.sendall(b"GET /sent-before HTTP/1.1\r\nHost: a\r\n\r\n")
        os.kill(running.workers()[0], signal.SIGKILL)
        assert idle.recv(1000).endswith(b"/sent-before"), "what it sent to a worker that was blocked is not lost"
        said = receive_all(busy)
        assert said.startswith(HTTP_FAREWELL)
        assert b"Connection: close\r\n" in said
        idle.sendall(b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(1000).endswith(b"/again")


def test_half_a_response_is_not_made_whole(pool: Pools) -> None:
    running = start(pool, workers=1, application=POISON, http="threads = 1")
    with running.connect("http") as client:
        client.sendall(b"GET /part HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until((running.directory / "blocked").exists)
        head = client.recv(1000)
        os.kill(running.workers()[0], signal.SIGKILL)
        rest = receive_all(client)
        assert (head + rest).endswith(b"half")


def test_a_poisoned_request_ends_only_itself(pool: Pools) -> None:
    log = 'access_log = "common"\naccess_log_file = "access.log"'
    running = start(pool, workers=1, application=POISON, http=log)
    with running.connect("kv") as kv, running.connect("http") as http:
        for number in range(1, 4):
            with running.connect("http") as poisoned:
                poisoned.sendall(b"GET /poison HTTP/1.1\r\nHost: a\r\n\r\n")
                assert receive_all(poisoned).startswith(HTTP_FAREWELL)
            kv.sendall(b"INCR key\r\n")
            assert kv.recv(100) == b":%d\r\n" % number
            http.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)
            assert http.recv(1000).endswith(b"/%d" % number)
            wait_until(lambda: (running.directory / "access.log").read_text().count('] "-" 502 ') == number)  # noqa: B023
    totals = running.status()["totals"]
    assert (totals["interrupted"], totals["survived"], totals["restarts"]) == (3, 6, 3)


def test_an_inline_command_is_sent_an_error_too(pool: Pools) -> None:
    running = start(pool, workers=1)
    with running.connect("kv") as client, running.connect("kv") as other:
        client.sendall(b"SET half-a-comm")
        for _ in range(2):  # when the second is answered, the worker is done with all input from before the first
            other.sendall(b"PING\r\n")
            assert other.recv(100) == b"+PONG\r\n"
        kill(running)
        assert receive_all(client) == KV_FAREWELL


def test_copies_are_closed_with_their_connections(pool: Pools) -> None:
    running = start(pool)
    for _ in range(3):
        clients = [running.connect("kv") for _ in range(50)]
        for client in clients:
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        assert len(descriptors(running)) > 50
        for number, client in enumerate(clients):
            if number % 2:
                client.sendall(b"QUIT\r\n")
                assert receive_all(client) == b"+OK\r\n"
            client.close()
        wait_until(lambda: len(descriptors(running)) < 40)


def descriptors(running: PoolProcess) -> list[Path]:
    return list(Path(f"/proc/{running.pid}/fd").iterdir())


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        ('dispatcher = "kernel"', "the master never has the connections"),
        (
            'protocol = "socketserver"\noptions = {target = "socketserver:StreamRequestHandler"}',
            "can't hand on the state of a connection",
        ),
    ],
)
def test_what_cannot_be_kept_is_a_mistake(pool: Pools, listener: str, says: str) -> None:
    protocol = "" if "protocol" in listener else 'protocol = "echo"\n'
    toml = f'[[listener]]\nname = "x"\nbind = ["tcp://127.0.0.1:0"]\nkeep_on_crash = true\n{protocol}{listener}\n'
    running = pool(toml, wait=False, exit_status=2)
    running.wait()
    assert "listener[0].keep_on_crash = true: " in running.stderr
    assert says in running.stderr
