"""Workers die, hang, come and go; the pool stays up. Real processes and signals."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import probe
import psutil
import pytest

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket

    from corepool.testing.pools import Pools


def ask(sock: socket.socket, line: str) -> str:
    """Send a line and receive one; "" when the connection ended."""
    sock.sendall(line.encode() + b"\n")
    return read_line(sock)


def read_line(sock: socket.socket) -> str:
    received = bytearray()
    while not received.endswith(b"\n"):
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
    return received.decode().strip()


def open_fds(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_a_killed_worker_is_replaced_and_the_others_see_nothing(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    clients = [running.connect() for _ in range(4)]
    pids = [int(ask(client, "pid")) for client in clients]
    survivor = pids[1]
    for count in range(1, 6):
        (victim,) = (pid for pid in running.workers() if pid != survivor)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda count=count: running.status()["totals"]["restarts"] == count and len(running.workers()) == 2)
        for client, pid in zip(clients, pids, strict=True):
            if pid == survivor:
                assert ask(client, f"hello {count}") == f"hello {count}"

    assert running.status()["totals"]["restarts"] == 5


def test_crashes_under_load_lose_only_what_the_dead_worker_held(pool: Pools) -> None:
    running = pool(probe.config(), files=probe.files())
    url = running.urls()[0]
    failures: list[str] = []
    served = [0]
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            with connect(url) as client:
                pid = ask(client, "pid")
                if pid and ask(client, "again") == "again":
                    served[0] += 1
                elif pid and int(pid) not in killed:
                    failures.append(pid)

    killed: set[int] = set()
    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    for count in range(1, 11):
        victim = running.workers()[0]
        killed.add(victim)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda count=count: running.status()["totals"]["restarts"] == count and len(running.workers()) == 2)
    stop.set()
    for user in users:
        user.join()

    assert failures == []
    assert served[0] > 0
    totals = running.status()["totals"]
    assert totals["accepted"] >= totals["closed"]


def test_handoffs_queued_at_a_stopped_worker_are_served_by_another_when_it_dies(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    url = running.urls()[0]
    baseline = open_fds(running.pid)
    frozen = running.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    clients = [connect(url) for _ in range(200)]
    for client in clients:
        client.sendall(b"hello\n")
    wait_until(lambda: running.status()["listeners"][0]["accepted"] >= 60)
    os.kill(frozen, signal.SIGKILL)

    assert [read_line(client) for client in clients] == ["hello"] * 200
    assert running.status()["totals"]["redispatched"] > 0
    for client in clients:
        client.close()
    wait_until(lambda: open_fds(running.pid) <= baseline, what="the master's descriptors back at their baseline")


def test_two_hundred_crashes_leak_neither_descriptors_nor_zombies(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    baseline = open_fds(running.pid)
    for count in range(200):
        os.kill(running.workers()[0], signal.SIGKILL)
        wait_until(lambda count=count: running.status()["totals"]["restarts"] > count and running.workers())

    assert open_fds(running.pid) <= baseline + 1  # the control connection that asks may be open still
    children = psutil.Process(running.pid).children()
    assert [child.status() for child in children if child.status() == psutil.STATUS_ZOMBIE] == []
    assert len(children) == 1


def test_a_first_generation_that_cannot_boot_ends_the_pool_with_status_3_and_the_traceback(pool: Pools) -> None:
    running = pool(
        probe.config(),
        files={**probe.files(), "refuse-to-boot": ""},
        wait=False,
        exit_status=3,
        traceback=True,
    )

    assert running.wait() == 3
    assert "RuntimeError: told not to boot" in running.stderr
    assert "could not boot" in running.stderr


def test_a_boot_failure_later_does_not_end_the_pool(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files(), traceback=True)
    first, second = running.workers()
    flag = running.directory / "refuse-to-boot"
    flag.touch()
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: "boot failure" in running.stderr)
    with running.connect() as client:
        assert ask(client, "pid") == str(second)
    flag.unlink()

    wait_until(lambda: len(running.workers()) == 2)


def test_a_crash_loop_costs_little_and_backs_off(pool: Pools) -> None:
    toml = probe.config(workers=2).replace('respawn_delay = "1ms"', 'respawn_delay = "500ms"')
    running = pool(
        toml.replace('respawn_delay_max = "1ms"', 'respawn_delay_max = "30s"'), files=probe.files(), traceback=True
    )
    (running.directory / "refuse-to-boot").touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    processes = psutil.Process(running.pid)
    before, began = processes.cpu_times(), time.monotonic()
    wait_until(lambda: running.stderr.count("boot failure") >= 4, 30)
    after, took_s = processes.cpu_times(), time.monotonic() - began
    delays = [float(line.partition("delay_s=")[2]) for line in running.stderr.splitlines() if "worker respawns" in line]

    assert delays[0] < delays[1] < delays[2] < delays[3]
    spent_s = sum(after[:4]) - sum(before[:4])  # the dead workers' own time is in it
    assert spent_s / took_s < 0.05


@pytest.mark.parametrize("command", ["spin", "sleep"])
def test_a_hung_worker_shows_its_stacks_and_is_replaced(pool: Pools, command: str) -> None:
    toml = probe.config('dispatcher = "round-robin"', pool='heartbeat_timeout = "500ms"')
    running = pool(toml, files=probe.files())
    hung, other = running.connect(), running.connect()
    hung_pid, other_pid = int(ask(hung, "pid")), int(ask(other, "pid"))
    hung.sendall(command.encode() + b"\n")
    wait_until(lambda: hung_pid not in running.workers() and len(running.workers()) == 2)

    assert f"in do_{command}" in running.stderr
    assert "cause='hung'" in running.stderr
    assert ask(other, "pid") == str(other_pid)
    assert receive_all_or_reset(hung) == b""


def receive_all_or_reset(sock: socket.socket) -> bytes:
    try:
        return receive_all(sock)
    except ConnectionResetError:
        return b""


def test_a_stopped_worker_is_killed_too(pool: Pools) -> None:
    running = pool(probe.config(pool='heartbeat_timeout = "500ms"'), files=probe.files())
    frozen = running.workers()[0]
    os.kill(frozen, signal.SIGSTOP)

    wait_until(lambda: frozen not in running.workers() and len(running.workers()) == 2)


def test_workers_are_not_blamed_for_a_pause_of_the_whole_pool(pool: Pools) -> None:
    running = pool(probe.config(pool='heartbeat_timeout = "400ms"'), files=probe.files())
    pids = running.workers()
    os.killpg(running.pid, signal.SIGSTOP)
    threading.Event().wait(1.0)  # the pause is the subject: nothing could be waited for
    os.killpg(running.pid, signal.SIGCONT)
    with running.connect() as client:
        for _ in range(3):
            assert ask(client, "hello") == "hello"

    assert running.workers() == pids
    assert "hung" not in running.stderr


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
def test_nobody_is_let_in_while_the_pool_drains(pool: Pools, dispatcher: str) -> None:
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


def test_the_drain_deadline_closes_what_is_still_busy(pool: Pools) -> None:
    running = pool(probe.config(pool='drain_timeout = "300ms"'), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    busy.sendall(b"work 1000\n")
    assert ask(running.connect(), "hello") == "hello"
    running.send_signal(signal.SIGTERM)

    assert receive_all(busy) == b""
    assert running.wait() == 0
    assert "drain deadline passed" in running.stderr


def test_plugins_have_time_to_stop_after_a_drain_that_took_all_of_its_own(pool: Pools) -> None:
    lines = 'drain_timeout = "300ms"\nheartbeat_timeout = "500ms"\n'
    running = pool(probe.config(pool=lines, workers=1), files=probe.files())
    gate, stops, stopped = (running.directory / name for name in ("wait-to-stop", "stops", "stopped"))
    gate.touch()
    busy = running.connect()
    busy.sendall(b"work 1000\n")
    wait_until(lambda: running.status()["totals"]["requests"] == 1)
    running.send_signal(signal.SIGTERM)
    wait_until(stops.exists)
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 2)
    gate.unlink()

    assert running.wait() == 0
    assert stopped.exists()
    assert "did not exit in time" not in running.stderr


def test_plugins_that_do_not_stop_are_killed(pool: Pools) -> None:
    running = pool(probe.config(pool='stop_timeout = "300ms"', workers=1), files=probe.files())
    (running.directory / "wait-to-stop").touch()
    running.send_signal(signal.SIGTERM)

    assert running.wait() == 0
    assert "did not exit in time" in running.stderr
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
    hung.sendall(b"spin\n")
    running.send_signal(signal.SIGINT)
    wait_until(lambda: "pool stopping" in running.stderr)
    running.send_signal(signal.SIGINT)

    assert running.wait() == 0
    assert "SIGKILL" in running.stderr


def test_ttin_and_ttou_scale_by_one(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    running.send_signal(signal.SIGTTIN)
    wait_until(lambda: len(running.workers()) == 2)
    running.send_signal(signal.SIGTTOU)
    wait_until(lambda: len(running.status()["workers"]) == 1)
    running.send_signal(signal.SIGTTOU)
    wait_until(lambda: running.stderr.count("pool scaled") == 3)

    assert len(running.workers()) == 1
    assert "cause='scaled down' status='exit status 0'" in running.stderr


def test_a_worker_that_somebody_terms_drains_and_is_replaced(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    busy = running.connect()
    assert ask(busy, "hello") == "hello"
    busy.sendall(b"work 0.5\n")
    wait_until(lambda: running.status()["workers"][0]["requests"] == 2)
    leaving = running.workers()[0]
    os.kill(leaving, signal.SIGTERM)
    wait_until(lambda: leaving not in running.workers(), what="the worker has heard it")
    with running.connect() as client:
        assert int(ask(client, "pid")) != leaving

    assert receive_all(busy) == b"done\n"
    wait_until(lambda: "cause='asked'" in running.stderr)


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
        wait_until(lambda: not running.left_over(), 1.5)  # the alarm rings after 0.8 s; the rest is a busy machine's
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


@pytest.mark.parametrize("signum", [signal.SIGWINCH])
def test_other_signals_end_nothing(pool: Pools, signum: signal.Signals) -> None:
    running = pool(probe.config('extensions = ["record"]'), files=probe.files())
    pids = running.workers()
    os.killpg(running.pid, signum)
    hooks = running.directory / "hooks.txt"
    wait_until(lambda: hooks.read_text().count(signum.name) == 3, what="the master and both workers told")

    assert running.workers() == pids


def test_hooks_of_the_master_are_told_in_order(pool: Pools) -> None:
    running = pool(probe.config('extensions = ["record"]', workers=1), files=probe.files())
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and running.workers())
    bound = running.urls()[0]
    hooks = running.directory / "hooks.txt"
    running.send_signal(signal.SIGTERM)
    wait_until(lambda: "on_stop" in (hooks.read_text() if hooks.exists() else ""))

    assert hooks.read_text().splitlines() == [
        "on_start 1",
        f"on_ready {bound}",
        "on_child_exit 0 crash SIGKILL",
        "on_signal SIGTERM",
        "on_child_exit 0 stopped exit status 0",
        "on_stop",
    ]


def test_a_hook_that_raises_costs_its_connection_only(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files(), traceback=True)
    victim, bystander = running.connect(), running.connect()
    pid = ask(bystander, "pid")
    victim.sendall(b"raise\n")

    assert receive_all_or_reset(victim) == b""
    assert ask(bystander, "pid") == pid
    assert "ValueError: asked to raise" in running.stderr


def test_as_pid_1_strangers_are_reaped() -> None:
    wrapper = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    with PoolProcess.run(probe.config(workers=1), files=probe.files(), wrapper=wrapper) as running:
        master = running.status()["pid"]
        assert master == 1
        with running.connect() as client:
            ask(client, "orphan")

        def zombies() -> list[psutil.Process]:
            children = psutil.Process(running.pid).children(recursive=True)
            return [child for child in children if child.status() == psutil.STATUS_ZOMBIE]

        def orphans() -> list[str]:
            with contextlib.suppress(psutil.NoSuchProcess):
                return [child.name() for child in psutil.Process(running.pid).children(recursive=True)]
            return []

        wait_until(lambda: "sleep" not in orphans() and not zombies())
        with running.connect() as client:
            assert ask(client, "hello") == "hello"


def test_a_worker_holds_nothing_of_the_masters(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    os.kill(running.workers()[1], signal.SIGKILL)  # its successor is forked from a master with open channels
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and len(running.workers()) == 2)
    clients = [running.connect() for _ in range(2)]
    for client in clients:
        names = ask(client, "fds").split()
        sockets = [name for name in names if name.startswith("socket:")]
        kinds = [name for name in names if not name.startswith(("socket:", "/"))]
        # The channel, asyncio's pair that wakes the loop, and this connection.
        assert len(sockets) == 4
        assert kinds == ["anon_inode:[eventpoll]"]
        # Standard input and output, and the log once more under a number of its own.
        assert len([name for name in names if name.startswith("/") and "/proc" not in name]) == 4


def test_a_program_that_a_worker_starts_inherits_only_the_standard_descriptors(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    with running.connect() as client:
        assert ask(client, "inherited").split() == ["0", "1", "2"]


def test_workers_are_not_told_of_the_service_manager(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files(), environment={"WATCHDOG_USEC": "200000"})
    running.wait_notified("WATCHDOG=1")
    running.wait_notified("WATCHDOG=1")
    with running.connect() as client:
        assert ask(client, "environment NOTIFY_SOCKET") == "-"
    running.send_signal(signal.SIGTERM)
    running.wait_notified("STOPPING=1")


def test_the_log_that_nobody_reads_blocks_nobody() -> None:
    # The wrapper's pipe has no reader that reads: it fills, and the pool goes on.
    wrapper = ("sh", "-c", 'mkfifo full; sleep 1000 <full & exec "$@" 2>full', "sh")
    toml = probe.config('dispatcher = "round-robin"')
    with PoolProcess.run(toml, files=probe.files(), wrapper=wrapper) as running:
        fifo = os.open(running.directory / "full", os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fifo, b"x" * 4096)
        os.close(fifo)
        for _ in range(50):
            with running.connect() as client:
                client.sendall(b"raise\n")  # a traceback each
                receive_all_or_reset(client)
        os.kill(running.workers()[0], signal.SIGKILL)
        wait_until(lambda: running.status()["totals"]["restarts"] == 1 and len(running.workers()) == 2)
        with running.connect() as client:
            assert ask(client, "hello") == "hello"
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def test_closed_standard_streams_reach_no_client() -> None:
    wrapper = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    with PoolProcess.run(probe.config(), files=probe.files(), wrapper=wrapper) as running:
        with running.connect() as client, running.connect() as other:
            client.sendall(b"raise\n")
            assert receive_all_or_reset(client) == b""
            assert ask(other, "hello") == "hello"
        running.stop()


def test_last_words_arrive_although_the_client_is_still_sending(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    with running.connect() as client:
        client.sendall(b"last\n" + b"y" * 50_000)

        assert receive_exactly(client, 100_000) == b"x" * 100_000


def test_connections_wait_while_the_only_worker_is_replaced(pool: Pools) -> None:
    running = pool(probe.config(workers=1), files=probe.files())
    waits = running.directory / "wait-to-boot"
    waits.touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: any(running.directory.glob("waits-*")))
    clients = [running.connect() for _ in range(50)]
    for client in clients:
        client.sendall(b"hello\n")
    waits.unlink()

    assert [read_line(client) for client in clients] == ["hello"] * 50
    for client in clients:
        client.close()


def test_a_worker_whose_counters_are_wrong_costs_nobody_else(pool: Pools) -> None:
    running = pool(probe.config('dispatcher = "round-robin"'), files=probe.files())
    clients = [running.connect() for _ in range(2)]
    liar, honest = (int(ask(client, "pid")) for client in clients)

    assert ask(clients[0], "lie") == "lied"
    for _ in range(10):
        with running.connect() as client:
            assert int(ask(client, "pid")) != liar
    wait_until(lambda: running.status()["totals"]["restarts"] == 1 and len(running.workers()) == 2)

    assert liar not in running.workers()
    assert ask(clients[1], "hello") == "hello"
    assert honest in running.workers()
    assert running.stderr.count("its counters are wrong") == 1


def test_what_waits_in_the_backlog_at_the_end_is_served(pool: Pools) -> None:
    """More than is accepted in one turn. Whoever were left there would be reset."""
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
        wait_until(lambda: "pool stopping" in running.stderr)
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
        wait_until(lambda: "pool stopping" in running.stderr)
        os.kill(worker, signal.SIGCONT)

        assert read_line(busy) == "done"
        assert running.wait() == 0
    assert "did not exit in time" not in running.stderr
