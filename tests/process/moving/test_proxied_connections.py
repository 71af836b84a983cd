"""Connections with a PROXY header move, and outlive a crash, as others do: their clients stay known."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from extension_client import plugin_files
from http_client import request
from kv_client import Client
from operated import corepool, reload_by_signal
from proxy_headers import AUTHORITY, TCP4, checked, ips, tlv, v1
from sources import source
from steady import APPLICATION, TOML, Steady

from corepool.testing.sockets import connect, receive_all, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENTS = 60
SERVER = ("198.51.100.1", 443)
ACCEPT = 'accept_proxy = "127.0.0.1"\naccept_proxy_timeout = "1h"'


def header(number: int) -> bytes:
    peer = (f"203.0.113.{number}", 1000 + number)
    return v1(peer, SERVER) if number % 2 else checked(TCP4, ips(peer, SERVER) + tlv(AUTHORITY, b"shop.example"))


def start(pool: Pools, listener: str = "", workers: int = 2) -> PoolProcess:
    toml = TOML.format(
        workers=workers,
        pool='drain_timeout = "1h"\nrespawn_delay = "50ms"\nrespawn_delay_max = "50ms"',
        listener=f"{ACCEPT}\n{listener}",
        http="",
    )
    return pool(toml, files={"application.py": APPLICATION}, environment={"PYTHONDONTWRITEBYTECODE": "1"})


class Held:
    """Clients of kv, each behind the proxy with an address of its own, that never reconnect."""

    def __init__(self, running: PoolProcess) -> None:
        self.clients: list[Client] = []
        for number in range(1, 21):
            sock = running.connect("kv")
            sock.sendall(header(number))
            self.clients.append(Client(sock))

    def assert_known(self) -> None:
        for number, client in enumerate(self.clients, 1):
            info = client("CLIENT", "INFO").decode()
            assert f" addr=203.0.113.{number}:{1000 + number} laddr={SERVER[0]}:{SERVER[1]} " in info


def steady(running: PoolProcess) -> Steady:
    return Steady(*running.urls(), clients=CLIENTS, pause_s=0.1, first=header)


def test_reloads_and_recycles_under_load_lose_no_connection_and_no_address(pool: Pools) -> None:
    running = start(pool)
    held = Held(running)
    held.assert_known()
    with steady(running) as load:
        load.wait_for_replies()
        for number in range(4):
            before = set(running.workers())
            if number % 2:
                assert corepool(running, "drain", str(number % 2)).returncode == 0
                wait_until(lambda before=before: len(set(running.workers()) - before) == 1)
            else:
                reload_by_signal(running)
            wait_until(lambda: len(running.workers()) == 2)
            held.assert_known()
        load.wait_for_replies()
        totals = running.status()["totals"]
        assert (totals["closed"], totals["refused"]) == (0, 0)
        assert totals["moved"] > CLIENTS
    assert load.failures == []


def test_an_upgrade_keeps_them(pool: Pools) -> None:
    running = start(pool)
    held = Held(running)
    with steady(running) as load:
        assert corepool(running, "upgrade").returncode == 0
        wait_until(lambda: len(running.workers()) == 2)
        load.wait_for_replies()
        held.assert_known()
    assert load.failures == []
    for client in held.clients:
        client.sock.close()
    assert corepool(running, "stop").returncode == 0
    assert running.wait() == 0


def kill_all(running: PoolProcess) -> None:
    pids = running.workers()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(running.workers()) - set(pids)) == len(pids))


def test_crashes_of_workers_keep_idle_ones_and_their_addresses(pool: Pools) -> None:
    running = start(pool, "keep_on_crash = true")
    held = Held(running)
    held.assert_known()
    for _ in range(2):
        kill_all(running)
        held.assert_known()
    assert running.status()["totals"]["survived"] >= 2 * len(held.clients)


def test_a_crash_before_the_first_request_keeps_them_too(pool: Pools) -> None:
    running = start(pool, "keep_on_crash = true")
    held = Held(running)
    wait_until(lambda: running.status()["totals"]["bytes_in"] >= sum(len(header(number)) for number in range(1, 21)))
    kill_all(running)
    held.assert_known()


def test_a_client_whose_worker_died_busy_is_known_to_the_one_that_tells_it(pool: Pools) -> None:
    toml = f"""
    [pool]
    workers = 1
    respawn_delay = "10ms"
    [[listener]]
    name = "it"
    bind = ["tcp://127.0.0.1:0"]
    protocol = "lost"
    keep_on_crash = true
    {ACCEPT}
    """
    running = pool(toml, files=plugin_files("lost", "Lost", source("plugins/lost.py")))
    with running.connect() as client:
        client.sendall(header(7))
        assert receive_exactly(client, 6) == b"hello\n"
        client.sendall(b"die\n")
        assert json.loads(receive_all(client)) == ["203.0.113.7", 1007, SERVER[0], "1"]


def test_a_connection_that_waits_for_its_header_is_waited_for(pool: Pools) -> None:
    running = start(pool, workers=1)
    url = running.urls("http")[0]
    with connect(url) as client:
        client.sendall(header(1)[:10])
        wait_until(lambda: running.status()["totals"]["bytes_in"] == 10)
        old = running.workers()
        assert corepool(running, "reload").returncode == 0
        assert running.workers() != old
        client.sendall(header(1)[10:] + request("/late"))
        assert receive_all(client).endswith(b"/late")


@pytest.mark.parametrize("dispatcher", ["round-robin", "least-connections"])
def test_moves_between_workers_are_as_without_a_header(pool: Pools, dispatcher: str) -> None:
    running = start(pool, f'dispatcher = "{dispatcher}"', workers=3)
    held = Held(running)
    assert corepool(running, "scale", "1").returncode == 0
    wait_until(lambda: len(running.workers()) == 1)
    held.assert_known()
    assert running.status()["totals"]["closed"] == 0
