"""The dispatcher `sticky`: its own tests, and a pool that is started and reloaded as its README says."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from example_folders import Run, Start

    from corepool.testing.pool import PoolProcess

HOSTS = [f"127.0.0.{number}" for number in range(2, 14)]
FLOOR = 16


def test_its_own_tests_pass(run: Run) -> None:
    done = run("dispatcher", "-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert done.returncode == 0, done.stdout + done.stderr


class Client:
    """A browser at an address of this machine, whose one connection stays open."""

    def __init__(self, running: PoolProcess, host: str, stack: ExitStack) -> None:
        transport = httpx.HTTPTransport(local_address=host, limits=httpx.Limits(max_connections=1))
        url = running.urls()[0].replace("tcp:", "http:")
        self._http = stack.enter_context(httpx.Client(transport=transport, base_url=url, timeout=DEADLINE_S))

    def worker(self) -> str:
        """Ask which worker answers."""
        return str(self._http.get("/status.json").json()["slot"])


def test_clients_have_their_workers_and_have_them_again_after_a_reload(start: Start) -> None:
    running = start("dispatcher")
    with ExitStack() as stack:
        clients = {host: Client(running, host, stack) for host in HOSTS}
        before = {host: client.worker() for host, client in clients.items()}
        assert len(set(before.values())) > 1

        running.request("reload")
        wait_until(lambda: running.status()["reload"]["state"] == "done")

        assert {host: client.worker() for host, client in clients.items()} == before

    with ExitStack() as stack:
        assert {host: Client(running, host, stack).worker() for host in HOSTS} == before


def test_one_client_with_many_connections_is_spread_when_its_worker_has_enough(start: Start) -> None:
    running = start("dispatcher")

    with ExitStack() as stack:
        workers = [Client(running, HOSTS[0], stack).worker() for _ in range(FLOOR + 4)]

    assert len(set(workers[:FLOOR])) == 1
    assert set(workers[FLOOR:]).isdisjoint(workers[:FLOOR])
