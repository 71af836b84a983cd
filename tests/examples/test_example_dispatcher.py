"""The dispatcher `sticky`: its own tests, and a pool that is started and reloaded as its README says."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from example_folders import Run, Start

    from corepool.testing.pool import PoolProcess

HOSTS = [f"127.0.0.{number}" for number in range(2, 14)]


def test_its_own_tests_pass(run: Run) -> None:
    done = run("dispatcher", "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr


def worker_of(running: PoolProcess, host: str, stack: ExitStack) -> int:
    """Connect from an address of this machine, speak, and tell which worker has one connection more."""

    def held() -> dict[int, int]:
        return {
            worker["slot"]: worker["connections"]
            for worker in running.status()["workers"]
            if worker["state"] == "ready"
        }

    before = held()
    url = urlsplit(running.urls()[0])
    client = stack.enter_context(
        socket.create_connection((str(url.hostname), url.port or 0), timeout=20, source_address=(host, 0))
    )
    client.sendall(b"PING\r\n")
    assert client.recv(7) == b"+PONG\r\n"
    (slot,) = [slot for slot, connections in held().items() if connections > before[slot]]
    return slot


def test_clients_have_their_workers_and_have_them_again_after_a_reload(start: Start) -> None:
    running = start("dispatcher")
    with ExitStack() as stack:
        before = {host: worker_of(running, host, stack) for host in HOSTS}
    assert len(set(before.values())) > 1

    running.request("reload")
    wait_until(lambda: running.status()["reload"]["state"] == "done")
    wait_until(lambda: not any(worker["connections"] for worker in running.status()["workers"]))

    with ExitStack() as stack:
        assert {host: worker_of(running, host, stack) for host in HOSTS} == before


def test_one_client_with_many_connections_is_spread_when_its_worker_has_enough(start: Start) -> None:
    running = start("dispatcher")

    with ExitStack() as stack:
        slots = [worker_of(running, HOSTS[0], stack) for _ in range(20)]

    assert len(set(slots[:16])) == 1
    assert set(slots[16:]).isdisjoint(slots[:16])
