"""A handler's fault costs its own connection; it learns of the acts of its client and its worker."""

from __future__ import annotations

import http.client
import signal
import socket
from typing import TYPE_CHECKING

import pytest
from operated import reload_by_signal
from sources import metadata, source

from corepool.testing.sockets import receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SOURCE = source("plugins/faulty.py")
NAMES = ("Lines", "Threads", "Apart", "Counted", "Late", "SlowGoodbye", "Payments", "Sleepers", "Unwilling", "Last")
ENTRIES = "\n".join(f"{name.lower()} = faulty:{name}" for name in (*NAMES, "Context"))
FILES = {
    **metadata("faulty", f"[corepool.protocols]\n{ENTRIES}\n"),
    "faulty.py": SOURCE,
}
LISTENER = """
[[listener]]
name = "{name}"
bind = ["tcp://127.0.0.1:0"]
protocol = "{protocol}"
{more}
"""


def start(
    pool: Pools, *protocols: str, more: str = "", drain_timeout: float = 10, traceback: bool = False
) -> PoolProcess:
    """Serve each of the protocols; listeners are called a, b, ..."""
    toml = f"[pool]\nworkers = 1\ndrain_timeout = {drain_timeout}\n"
    for name, protocol in zip("abcdef", protocols, strict=False):
        toml += LISTENER.format(name=name, protocol=protocol, more=more)
    return pool(toml, files=FILES, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=traceback)


def ask(client: socket.socket, request: bytes, reply: bytes) -> None:
    client.sendall(request)
    assert receive_exactly(client, len(reply)) == reply


def reload_while_others_are_idle(running: PoolProcess) -> None:
    """Wait for the old worker to close what it takes for idle: several, for it does so over a quarter second."""
    with running.connect() as one, running.connect() as two, running.connect() as three:
        wait_until(lambda: running.status()["workers"][0]["connections"] == 4)
        reload_by_signal(running)
        for idle in (one, two, three):
            assert receive_all(idle) == b""


both = pytest.mark.parametrize("protocol", ["lines", "threads"])


@both
def test_a_line_that_is_too_long_is_dropped_and_the_next_one_read(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect() as client, running.connect() as other:
        ask(client, b"x" * 1500 + b"\nnext\n", b"too long\nnext\n")
        ask(other, b"one\n", b"one\n")


@both
@pytest.mark.parametrize(
    ("command", "logged"),
    [("interrupt", "KeyboardInterrupt"), ("cancelled", "CancelledError"), ("group", "BaseException: of a part")],
)
def test_whatever_is_raised_costs_one_connection_and_no_thread(
    pool: Pools, protocol: str, command: str, logged: str
) -> None:
    more = "options = { threads = 1 }" if protocol == "threads" else ""
    running = start(pool, protocol, more=more, traceback=True)
    workers = running.workers()
    with running.connect() as client:
        client.sendall(command.encode() + b"\n")
        assert receive_all(client) == b""
    with running.connect() as client:
        ask(client, b"one\n", b"one\n")
    running.wait_logged("handler_failed listener=a", logged)
    assert running.workers() == workers


@both
def test_what_a_peer_does_to_each_part_is_no_traceback(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)  # `pool` looks for tracebacks in the log
    with running.connect() as client:
        client.sendall(b"part\nfour")
        wait_until((running.directory / "waiting").exists)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""


@both
def test_errors_of_a_handlers_own_peers_are_logged_though_the_client_has_ended(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol, traceback=True)
    with running.connect() as client:
        client.sendall(b"after the end\n")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    running.wait_logged("ConnectionResetError: by the database")


@both
def test_a_deadline_in_the_midst_of_something_loses_nothing(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect() as client:
        ask(client, b"patience\n" + b"a" * 3000, b"not yet\n" * 2)
        ask(client, b"b" * 1000, b"a" * 3000 + b"b" * 1000)


@both
def test_a_body_whose_header_was_read_is_begun(pool: Pools, protocol: str) -> None:
    running = start(pool, protocol)
    with running.connect() as client:
        ask(client, b"body\n5\n", b"length\n")
        wait_until((running.directory / "begun").exists)
        reload_while_others_are_idle(running)
        ask(client, b"hello", b"HELLO")


def test_what_other_tasks_answer_is_waited_for(pool: Pools) -> None:
    running = start(pool, "apart")
    with running.connect() as client:
        client.sendall(b"one\n")
        wait_until((running.directory / "answering").exists)
        reload_while_others_are_idle(running)
        (running.directory / "answer").touch()
        assert receive_all(client) == b"one\n", "and then it is idle, and ends"


def test_an_http_server_of_the_standard_library_gets_its_body_at_a_reload(pool: Pools) -> None:
    running = start(pool, "socketserver", more='options = { target = "faulty:Web" }')
    client = http.client.HTTPConnection(running.urls()[0].removeprefix("tcp://"), timeout=60)
    client.putrequest("POST", "/")
    client.putheader("Content-Length", "5")
    client.endheaders()
    wait_until((running.directory / "begun").exists)
    reload_while_others_are_idle(running)
    client.send(b"hello")
    assert client.getresponse().read() == b"HELLO"
    client.close()


def test_what_a_worker_cuts_short_does_not_look_complete(pool: Pools) -> None:
    running = start(pool, "counted", drain_timeout=0.5)
    with running.connect() as client:
        client.sendall(b"0100half")
        wait_until((running.directory / "begun").exists)
        running.stop()
    assert "drain" in (running.directory / "cut").read_text()
    assert not (running.directory / "body").exists()


def test_a_reply_that_waits_for_the_loop_is_sent_before_the_worker_leaves(pool: Pools) -> None:
    running = start(pool, "slowgoodbye", "late")
    with running.connect("a"), running.connect("b") as client:
        wait_until(lambda: running.status()["workers"][0]["connections"] == 2)
        client.sendall(b"reply\n")
        wait_until((running.directory / "taken").exists)
        running.send_signal(signal.SIGTERM)
        assert receive_all(client) == b"reply\n"


def test_nothing_is_begun_for_a_client_that_the_worker_has_cut(pool: Pools) -> None:
    running = start(pool, "payments", more="options = { threads = 1 }", drain_timeout=0.3)
    with running.connect() as slow, running.connect() as waiting:
        slow.sendall(b"slow\n")
        wait_until((running.directory / "slow").exists)
        waiting.sendall(b"order\n")
        running.send_signal(signal.SIGTERM)
        running.wait_logged("drain_timed_out")
        (running.directory / "end").touch()
        assert receive_all(waiting) == b""
        running.wait()
    assert not (running.directory / "paid").exists()


def test_threads_that_do_not_end_keep_no_plugin_from_its_stop(pool: Pools) -> None:
    running = start(pool, "sleepers", "sleepers", "sleepers", "last", drain_timeout=0.1)
    clients = [running.connect(name) for name in "abc"]
    for name, client in zip("abc", clients, strict=True):
        client.sendall(b"sleep\n")
        wait_until((running.directory / f"asleep-{name}").exists)
    reload_by_signal(running)
    running.wait_logged("worker_exited")
    assert (running.directory / "stopped").exists()
    running.wait_logged('cause=replaced status="exit status 0"')


def test_a_coroutine_that_refuses_to_be_cancelled_keeps_no_worker(pool: Pools) -> None:
    running = start(pool, "unwilling", drain_timeout=0.1)
    with running.connect() as client:
        client.sendall(b"sleep\n")
        wait_until((running.directory / "asleep").exists)
        reload_by_signal(running)
        running.wait_logged("worker_exited")
    running.wait_logged("tasks_abandoned tasks=1")
    assert "worker_overdue" not in running.stderr


def test_what_one_connection_puts_into_its_context_is_not_the_next_ones(pool: Pools) -> None:
    running = start(pool, "context", more="options = { threads = 1 }")
    for _ in range(3):
        with running.connect() as client:
            assert receive_all(client) == b"0\n"
