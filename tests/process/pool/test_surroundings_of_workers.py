"""The surroundings of master and workers: descriptors, standard streams, the environment, orphans. Real processes."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import probe
import psutil
from probe import ask, receive_all_or_reset

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


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
    os.kill(running.workers()[1], signal.SIGKILL)  # its replacement is forked from a master with open channels
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


def test_a_log_that_is_not_read_blocks_no_process() -> None:
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
