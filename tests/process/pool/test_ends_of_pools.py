"""The end of a pool: the drain, its deadline, the signals, and workers whose master is killed. Real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import probe
import psutil
import pytest
from probe import ask, read_line

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


def test_term_lets_a_busy_connection_finish_and_closes_idle_ones(pool: Pools) -> None:
    running = pool(probe.config(), files=probe.files())
    idle, busy = running.connect(), running.connect()
    assert ask(idle, "hello") == "hello"
    busy.sendall(b"work 0.3\n")
    wait_until(lambda: running.status()["totals"]["accepted"] >= 2)
    assert ask(idle, "again") == "again"
    running.send_signal(signal.SIGTERM)

    assert receive_all(idle) == b""
    assert receive_all(busy) == b"done\n"
    assert running.wait() == 0


@pytest.mark.parametrize("dispatcher", ["least-connections", "kernel"])
def test_no_client_is_let_in_while_the_pool_drains(pool: Pools, dispatcher: str) -> None:
    running = pool(probe.config(pool=f'dispatcher = "{dispatcher}"'), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    (url,) = running.urls()
    busy.sendall(b"work 60\n")
    wait_until(lambda: running.status()["totals"]["requests"] == 2)
    running.send_signal(signal.SIGTERM)

    def is_refused() -> bool:
        try:
            connect(url).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(is_refused, what="the port is closed")
    assert running.running, "and it still drains"
    running.send_signal(signal.SIGINT)
    assert running.wait() == 0


def test_what_waits_at_a_paused_connection_is_served_before_the_end(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    client = running.connect()
    ask(client, "hello")
    client.sendall(b"pause 1.5\n")  # longer than a drain leaves to those that may be about to send something
    wait_until(lambda: running.status()["workers"][0]["requests"] == 2)
    client.sendall(b"wait\n")

    running.send_signal(signal.SIGTERM)

    assert receive_all(client) == b"wait\n"
    assert running.wait() == 0


def test_the_drain_deadline_closes_connections_that_are_still_busy(pool: Pools) -> None:
    running = pool(probe.config(pool='drain_timeout = "300ms"'), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    busy.sendall(b"work 1000\n")
    assert ask(running.connect(), "hello") == "hello"
    running.send_signal(signal.SIGTERM)

    assert receive_all(busy) == b""
    assert running.wait() == 0
    assert "drain_timed_out" in running.stderr


def test_plugins_have_time_to_stop_after_a_drain_that_took_all_of_its_own(pool: Pools) -> None:
    lines = 'drain_timeout = "300ms"\nheartbeat_timeout = "2s"\n'
    running = pool(probe.config(pool=lines, workers=1), files=probe.files())
    gate, stops, stopped = (running.directory / name for name in ("wait-to-stop", "stops", "stopped"))
    gate.touch()
    busy = running.connect()
    busy.sendall(b"work 1000\n")
    wait_until(lambda: running.status()["totals"]["requests"] == 1)
    running.send_signal(signal.SIGTERM)
    wait_until(stops.exists)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 3)
    gate.unlink()

    assert running.wait() == 0
    assert stopped.exists()
    assert "worker_overdue" not in running.stderr


def test_plugins_that_do_not_stop_are_killed(pool: Pools) -> None:
    running = pool(probe.config(pool='stop_timeout = "300ms"', workers=1), files=probe.files())
    (running.directory / "wait-to-stop").touch()
    running.send_signal(signal.SIGTERM)

    assert running.wait() == 0
    assert "worker_overdue" in running.stderr
    assert not (running.directory / "stopped").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_stop_at_once(pool: Pools, signum: signal.Signals) -> None:
    running = pool(probe.config(pool='drain_timeout = "10m"'), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    busy.sendall(b"work 1000\n")
    assert ask(running.connect(), "hello") == "hello"
    os.killpg(running.pid, signum)  # as a terminal does: to every process of the group

    assert running.wait() == 0
    assert "KeyboardInterrupt" not in running.stderr


def test_a_second_int_kills_workers_that_hang(pool: Pools) -> None:
    running = pool(probe.config(), files=probe.files())
    hung = running.connect()
    assert ask(hung, "hello") == "hello"
    assert ask(hung, "hello") == "hello"  # it is watched by now, so its next line comes before the order to stop
    hung.sendall(b"spin\n")
    running.send_signal(signal.SIGINT)
    running.wait_logged("pool_stopping")
    running.send_signal(signal.SIGINT)

    assert running.wait() == 0
    assert "SIGKILL" in running.stderr


@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:0", "unix:@corepool-test-orphans-{pid}"])
@pytest.mark.parametrize("command", ["hello", "spin"])
def test_workers_leave_when_the_master_is_killed_and_the_address_is_free_at_once(bind: str, command: str) -> None:
    url = bind.format(pid=f"{os.getpid()}-{command}")
    with PoolProcess.run(probe.config(bind=url), files=probe.files()) as running:
        client = running.connect()
        assert ask(client, "first") == "first"
        client.sendall(command.encode() + b"\n")
        bound = running.urls()[0]
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: not running.left_over())
        with PoolProcess.run(probe.config(bind=bound), files=probe.files()) as successor:
            with successor.connect() as again:
                assert ask(again, "hello") == "hello"
            successor.stop()
        client.close()


def test_a_worker_inside_of_one_long_call_ends_too_when_the_master_is_killed() -> None:
    toml = probe.config(pool='heartbeat_timeout = "100ms"\ndispatcher = "kernel"', workers=1)
    with PoolProcess.run(toml, files=probe.files()) as running:
        (pid,) = running.workers()
        worker = psutil.Process(pid)
        client = running.connect()
        running.send_signal(signal.SIGSTOP)  # or it would find the worker hung
        before = worker.cpu_times().user
        client.sendall(b"grind\n")
        wait_until(lambda: worker.cpu_times().user > before + 0.2)
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: not running.left_over())


def test_last_words_arrive_although_the_client_is_still_sending(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    with running.connect() as client:
        client.sendall(b"last\n" + b"y" * 50_000)

        assert receive_exactly(client, 100_000) == b"x" * 100_000


def test_what_waits_in_the_backlog_at_the_end_is_served(pool: Pools) -> None:
    """More than is accepted in one turn. A client left there would be reset."""
    running = pool(probe.config(), files=probe.files())
    url = running.urls()[0]
    running.send_signal(signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(300)]
        for client in clients:
            client.sendall(b"hello\n")
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGCONT)
        assert {read_line(client) for client in clients} == {"hello"}
    assert running.wait() == 0


def test_what_waits_in_the_backlog_of_workers_that_accept_is_served(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "kernel"'), files=probe.files())
    url, workers = running.urls()[0], running.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(300)]
        for client in clients:
            client.sendall(b"hello\n")
        running.send_signal(signal.SIGTERM)
        running.wait_logged("pool_stopping")
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        assert {read_line(client) for client in clients} == {"hello"}
    assert running.wait() == 0


def test_requests_under_way_have_their_turns_while_a_backlog_is_emptied(pool: Pools) -> None:
    nap = "    def do_nap(self, conn, line):\n        time.sleep(0.01)\n        conn.send(b'rested\\n')\n\n"
    source = probe.SOURCE.replace("    def do_work(", f"{nap}    def do_work(")
    toml = probe.config('dispatcher = "kernel"', pool='drain_timeout = "3s"', workers=1)
    running = pool(toml, files=probe.files() | {"probe.py": source})
    url, [worker] = running.urls()[0], running.workers()
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    os.kill(worker, signal.SIGSTOP)
    busy.sendall(b"work 1\n")
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(connect(url)).sendall(b"nap\n")
        running.send_signal(signal.SIGTERM)
        running.wait_logged("pool_stopping")
        os.kill(worker, signal.SIGCONT)

        assert read_line(busy) == "done"
        assert running.wait() == 0
    assert "worker_overdue" not in running.stderr


def test_a_pool_that_delays_its_stop_says_so_and_serves_on(pool: Pools) -> None:
    running = pool('[process]\nshutdown_delay = "1h"\n' + probe.config(), files=probe.files())
    client = running.connect()
    assert ask(client, "hello") == "hello"
    running.send_signal(signal.SIGTERM)
    running.wait_logged("pool_stop_delayed")

    assert running.status()["state"] == "stopping", "a probe sees it"
    assert ask(running.connect(), "new") == "new"
    assert ask(client, "again") == "again"
    worker = running.status()["workers"][0]["pid"]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in {each["pid"] for each in running.status()["workers"]}, what="it is replaced")
    assert ask(running.connect(), "as ever") == "as ever"

    running.send_signal(signal.SIGTERM)  # a second one: at once

    assert running.wait() == 0


def test_the_stop_begins_when_its_delay_is_over(pool: Pools) -> None:
    running = pool('[process]\nshutdown_delay = "50ms"\n' + probe.config(), files=probe.files())
    running.send_signal(signal.SIGTERM)

    assert running.wait() == 0
    log = running.stderr
    assert log.index("pool_stop_delayed") < log.index("pool_stopping")


def test_a_stop_at_once_knows_no_delay(pool: Pools) -> None:
    running = pool('[process]\nshutdown_delay = "1h"\n' + probe.config(), files=probe.files())
    running.send_signal(signal.SIGTERM)
    running.wait_logged("pool_stop_delayed")
    running.send_signal(signal.SIGQUIT)

    assert running.wait() == 0
