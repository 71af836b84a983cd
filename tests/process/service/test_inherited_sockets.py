"""Pools on sockets that the process that started them has bound, as systemd does. Real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import pytest
from insider import config, evaluate, files

from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

# As the service manager: binds, tells in the environment, and executes the pool, which has the same pid.
ACTIVATE = """
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0), backlog=100)
unix = socket.socket(socket.AF_UNIX)
unix.bind("activated.sock")
unix.listen(100)
for number, sock in enumerate((tcp, unix), 50):
    os.dup2(sock.fileno(), number)
os.dup2(50, 3)
os.dup2(51, 4)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:files"}
os.execvp(sys.argv[1], sys.argv[1:])
"""
ACTIVATED = (sys.executable, "-c", ACTIVATE)


def on(bind: str, dispatcher: str = "round-robin") -> str:
    return config(workers=2).replace('["tcp://127.0.0.1:0"]', bind).replace('"round-robin"', f'"{dispatcher}"')


@pytest.mark.parametrize("dispatcher", ["round-robin", "kernel"])
@pytest.mark.parametrize("bind", ['["systemd://web", "systemd://files"]', '["fd://3", "fd://4"]'])
def test_the_pool_serves_on_what_it_was_given(pool: Pools, bind: str, dispatcher: str) -> None:
    running = pool(on(bind, dispatcher), files=files(), wrapper=ACTIVATED)
    tcp, unix = running.urls()
    assert tcp.startswith("tcp://127.0.0.1:")
    assert unix == "unix://activated.sock"
    assert evaluate(running, "6 * 7") == 42
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(running.directory / "activated.sock"))
        client.sendall(b"6 * 7")
        assert receive_exactly(client, 3) == b"42\n"
    running.stop()

    assert (running.directory / "activated.sock").is_socket()


def test_the_only_socket_needs_no_name_and_an_unnamed_one_has_that_of_sd_listen_fds(pool: Pools) -> None:
    nameless = (sys.executable, "-c", ACTIVATE.replace('"web:files"', '""'))
    alone = (sys.executable, "-c", ACTIVATE.replace('"LISTEN_FDS": "2"', '"LISTEN_FDS": "1"'))

    assert evaluate(pool(on('["systemd://unknown?index=0"]'), files=files(), wrapper=nameless), "6 * 7") == 42
    assert evaluate(pool(on('["systemd://"]'), files=files(), wrapper=alone), "6 * 7") == 42


def test_programs_that_workers_start_inherit_no_socket(pool: Pools) -> None:
    running = pool(on('["systemd://web"]'), files=files(), wrapper=ACTIVATED)

    started = evaluate(
        running,
        "__import__('subprocess').check_output(['sh', '-c', 'ls -l /proc/self/fd'], close_fds=False).decode()"
        ".count('socket:')",
    )

    assert started == 0


def test_a_socket_that_was_not_passed_is_a_mistake(pool: Pools) -> None:
    running = pool(on('["systemd://nope", "fd://77"]'), files=files(), wrapper=ACTIVATED, wait=False, exit_status=2)

    assert running.wait() == 2
    assert (
        "listener[0].bind[0]: can't listen on systemd://nope: the service manager has passed no socket 'nope'; "
        "it has passed web, files" in running.stderr
    )
    assert (
        "listener[0].bind[1]: can't listen on fd://77: descriptor 77 was not passed to this process: "
        "Bad file descriptor" in running.stderr
    )


def test_no_two_listeners_take_the_same_socket(pool: Pools) -> None:
    running = pool(on('["systemd://web", "fd://3"]'), files=files(), wrapper=ACTIVATED, wait=False, exit_status=2)

    assert running.wait() == 2
    assert "can't listen on fd://3: descriptor 3 is in use by this pool already" in running.stderr


def operate(pool: PoolProcess, command: str) -> None:
    arguments = [sys.executable, "-m", "corepool", command, "--control", str(pool.control)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


def test_a_reload_can_leave_a_socket_and_come_back_to_it(pool: Pools) -> None:
    running = pool(on('["systemd://web", "systemd://files"]'), files=files(), wrapper=ACTIVATED)
    url = running.urls()[0]
    path = running.directory / "corepool.toml"
    path.write_text(on('["systemd://files"]'))
    operate(running, "reload")
    assert running.urls() == ["unix://activated.sock"]
    with connect(url) as waiting:  # in the backlog of a socket that no pool serves
        waiting.sendall(b"6 * 7")
        path.write_text(on('["systemd://web", "systemd://files"]'))
        operate(running, "reload")

        assert receive_exactly(waiting, 3) == b"42\n"


def test_an_upgrade_passes_the_socket_on(pool: Pools) -> None:
    running = pool(on('["systemd://web"]'), files=files(), wrapper=ACTIVATED)
    url = running.urls()[0]
    operate(running, "upgrade")
    assert running.wait() == 0
    master = running.status()["pid"]

    assert running.urls() == [url]
    assert evaluate(running, "6 * 7") == 42
    os.kill(master, signal.SIGTERM)
    wait_until(lambda: not psutil.pid_exists(master) and not running.left_over())


# As a service manager that keeps the socket: the next server gets the same.
RECEIVE = """
import os, socket, sys
giver = socket.socket(socket.AF_UNIX)
giver.connect("\\0" + sys.argv[1])
_, (fd,), _, _ = socket.recv_fds(giver, 1, 1)
os.dup2(fd, 3)
os.execvp(sys.argv[2], sys.argv[2:])
"""


def start_on(listening: socket.socket, pool: Pools, dispatcher: str) -> PoolProcess:
    name = f"corepool-test-{uuid4()}"
    with socket.create_server(f"\0{name}", family=socket.AF_UNIX) as giver:
        giver.settimeout(DEADLINE_S)
        wrapper = (sys.executable, "-c", RECEIVE, name)
        running = pool(on('["fd://3"]', dispatcher), files=files(), wrapper=wrapper, wait=False)
        receiver, _ = giver.accept()
        with receiver:
            socket.send_fds(receiver, [b"-"], [listening.fileno()])
    running.wait_notified("READY=1")
    return running


def is_answered(client: socket.socket) -> bool:
    try:
        client.sendall(b"6 * 7")
        return receive_exactly(client, 3) == b"42\n"
    except OSError:
        return False


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_what_waits_at_the_end_is_left_to_the_next_server(pool: Pools, dispatcher: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listening, contextlib.ExitStack() as stack:
        url = "tcp://{}:{}".format(*listening.getsockname())
        first = start_on(listening, pool, dispatcher)
        workers = first.workers()
        for pid in (first.pid, *workers):
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        clients = [stack.enter_context(connect(url)) for _ in range(300)]
        first.send_signal(signal.SIGTERM)
        first.send_signal(signal.SIGCONT)
        first.wait_logged("pool_stopping")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert first.wait() == 0
        start_on(listening, pool, dispatcher)

        # A turn or two may take some before they come to the order to stop.
        assert sum(map(is_answered, clients)) >= len(clients) / 2
