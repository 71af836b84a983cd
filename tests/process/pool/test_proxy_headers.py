"""`accept_proxy` of running pools: the peers that have to send a header, refusals, counters and the log."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from extension_client import config, connect_from, is_served, unix_url, witness_files
from proxy_headers import LOCAL, PROXY, TCP4, TCP6, UNIX, UNSPEC, checked, ips, paths, v1, v2

from corepool.testing.sockets import connect, receive_all, receive_exactly, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PROXY_HOST, OTHER = "127.0.0.2", "127.0.0.1"
PATIENT = 'accept_proxy_timeout = "1h"'
ACCEPT = f'accept_proxy = ["{PROXY_HOST}"]\n{PATIENT}'
CLIENT, SERVER = ("203.0.113.7", 4711), ("198.51.100.1", 443)
V1 = v1(CLIENT, SERVER)


def serve(pool: Pools, *extensions: str, listener: str = ACCEPT, **options: object) -> PoolProcess:
    toml = config(*extensions, listener=listener, protocol="witness", **options)  # type: ignore[arg-type]
    return pool(toml, files=witness_files())


def seen(running: PoolProcess) -> list[str]:
    path = running.directory / "seen.txt"
    return path.read_text().splitlines() if path.exists() else []


def failures(running: PoolProcess) -> int:
    return running.status()["totals"]["proxy_failures"]  # type: ignore[typeddict-item, no-any-return]


def is_ended(client: socket.socket) -> bool:
    try:
        return receive_all(client) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("dispatcher", ["round-robin", "kernel"])
@pytest.mark.parametrize(
    ("header", "peer"),
    [
        pytest.param(V1, CLIENT[0], id="version 1"),
        pytest.param(v1(("2001:db8::7", 1), ("::1", 2)), "2001:db8::7", id="version 1, IPv6"),
        pytest.param(b"PROXY UNKNOWN\r\n", PROXY_HOST, id="version 1, unknown"),
        pytest.param(checked(TCP4, ips(CLIENT, SERVER)), CLIENT[0], id="version 2"),
        pytest.param(v2(PROXY, TCP6, ips(("2001:db8::7", 1), ("::1", 2))), "2001:db8::7", id="version 2, IPv6"),
        pytest.param(v2(PROXY, UNIX, paths(b"/run/client", b"/run/proxy")), "/run/client", id="version 2, UNIX"),
        pytest.param(v2(LOCAL, UNSPEC), PROXY_HOST, id="version 2, local"),
    ],
)
def test_the_peer_is_the_one_that_the_proxy_names(pool: Pools, header: bytes, peer: str, dispatcher: str) -> None:
    running = serve(pool, listener=f'{ACCEPT}\ndispatcher = "{dispatcher}"')
    with connect_from(running.urls()[0], PROXY_HOST) as client:
        client.sendall(header)
        assert is_served(client)
    assert seen(running)[:2] == [f"accept {peer}", "read b'hello\\n'"]


def test_a_header_may_come_byte_by_byte(pool: Pools) -> None:
    running = serve(pool)
    with connect_from(running.urls()[0], PROXY_HOST) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in V1:
            client.send(bytes([byte]))
        assert is_served(client)
    assert seen(running)[0] == f"accept {CLIENT[0]}"


@pytest.mark.parametrize("data", [b"hello\n", b"PROXY TCP4 1.2.3.4 nonsense\r\n", v2(PROXY, 0x44), b"\x16\x03\x01\x02"])
def test_a_proxy_without_a_right_header_is_not_served_and_the_log_says_why(pool: Pools, data: bytes) -> None:
    running = serve(pool)
    with connect_from(running.urls()[0], PROXY_HOST) as client:
        client.sendall(data)
        assert is_ended(client)
    wait_until(lambda: failures(running) == 1)
    running.wait_logged("proxy_header_refused", f"peer={PROXY_HOST}")
    assert not seen(running)


def test_a_header_that_does_not_come_in_time_ends_the_connection(pool: Pools) -> None:
    running = serve(pool, listener=f'accept_proxy = "{PROXY_HOST}"\naccept_proxy_timeout = "100ms"')
    with connect_from(running.urls()[0], PROXY_HOST) as silent, connect_from(running.urls()[0], PROXY_HOST) as slow:
        slow.sendall(V1[:-1])
        assert is_ended(silent)
        assert is_ended(slow)
    wait_until(lambda: failures(running) == 2)
    wait_until(lambda: "within 0.1 s" in running.stderr)
    assert not seen(running)


def test_others_are_served_without_a_header_and_theirs_is_not_believed(pool: Pools) -> None:
    running = serve(pool)
    with connect_from(running.urls()[0], OTHER) as client:
        client.sendall(V1)
        assert receive_exactly(client, len(V1)) == V1  # the protocol has it, as any other bytes
    assert seen(running)[0] == f"accept {OTHER}"
    assert failures(running) == 0


def test_a_peer_that_is_gone_before_it_is_looked_at_is_not_served(pool: Pools) -> None:
    """getpeername(2) knows no peer then, but read(2) would still give its bytes: a header of its choice, say."""
    running = serve(pool)
    url, worker = running.urls()[0], running.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    for source in (PROXY_HOST, OTHER):
        with connect_from(url, source) as client:
            client.sendall(V1 + b"delete everything\n")
            reset(client)
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: running.status()["totals"]["closed"] == 2)
    assert not seen(running)


@pytest.mark.parametrize("accept", ['accept_proxy = "unix"', 'accept_proxy = ["10.0.0.0/8", "unix"]'])
def test_clients_of_a_unix_socket(pool: Pools, accept: str) -> None:
    running = serve(pool, bind=unix_url(), listener=f"{accept}\n{PATIENT}")
    with connect(running.urls()[0]) as client:
        client.sendall(V1)
        assert is_served(client)
    with connect(running.urls()[0]) as client:
        client.sendall(b"hello\n")
        assert is_ended(client)
    assert seen(running)[0] == f"accept {CLIENT[0]}"


@pytest.mark.parametrize(
    ("rules", "served"),
    [
        ('allow = ["203.0.113.0/29"]', {CLIENT[0]}),
        ('deny = ["203.0.113.7"]', {"203.0.113.8", PROXY_HOST, OTHER}),
        (f'allow = ["{PROXY_HOST}"]', {PROXY_HOST}),
    ],
)
def test_access_decides_by_the_client(pool: Pools, rules: str, served: set[str]) -> None:
    url = serve(pool, f"access\n{rules}").urls()[0]
    found = set()
    for source, header, peer in (
        (PROXY_HOST, V1, CLIENT[0]),
        (PROXY_HOST, v1(("203.0.113.8", 1), SERVER), "203.0.113.8"),
        (PROXY_HOST, v2(LOCAL, UNSPEC), PROXY_HOST),
        (OTHER, b"", OTHER),
    ):
        with connect_from(url, source) as client:
            client.sendall(header)
            if is_served(client):
                found.add(peer)
    assert found == served


def test_limits_count_clients_and_not_their_proxy(pool: Pools) -> None:
    running = serve(pool, "limits\nper_peer = 1", workers=1)
    url = running.urls()[0]
    waiting = [connect_from(url, PROXY_HOST) for _ in range(3)]  # no header yet: they are of no client
    clients = []
    for number in (1, 2, 3):
        clients.append(connect_from(url, PROXY_HOST))
        clients[-1].sendall(v1((f"203.0.113.{number}", 1), SERVER))
        assert is_served(clients[-1])
    with connect_from(url, PROXY_HOST) as again:
        again.sendall(v1(("203.0.113.1", 2), SERVER))
        assert not is_served(again)
    for client in (*waiting, *clients):
        client.close()


def test_the_access_log_has_the_client(pool: Pools) -> None:
    running = serve(pool, 'accesslog\nfile = "access.log"')
    with connect_from(running.urls()[0], PROXY_HOST) as client:
        client.sendall(V1)
        assert is_served(client)
    path = running.directory / "access.log"
    wait_until(lambda: path.exists() and "protocol=witness" in path.read_text())
    assert f"peer={CLIENT[0]}:{CLIENT[1]} " in path.read_text()


def test_clients_that_stall_in_the_header_keep_no_other_waiting(pool: Pools) -> None:
    running = serve(pool)
    url = running.urls()[0]
    stalled = [connect_from(url, PROXY_HOST) for _ in range(300)]
    for number, each in enumerate(stalled):
        each.sendall(V1[: number % len(V1)])
    with connect_from(url, PROXY_HOST) as client:
        client.sendall(V1)
        assert is_served(client)
    for each in stalled:
        each.close()
    wait_until(lambda: running.status()["totals"]["closed"] == 301)
    empty = sum(number % len(V1) == 0 for number in range(300))
    wait_until(lambda: failures(running) == 300 - empty)


def test_a_worker_that_waits_for_headers_sleeps(pool: Pools) -> None:
    """Bytes that are looked at and left would be reported again and again, by an epoll that is level-triggered."""
    running = serve(pool)
    stalled = [connect_from(running.urls()[0], PROXY_HOST) for _ in range(len(V1))]
    for number, each in enumerate(stalled):
        each.sendall(V1[:number])
    wait_until(lambda: running.status()["totals"]["bytes_in"] == sum(range(len(V1))))
    worker = psutil.Process(running.workers()[0])
    wait_until(lambda: worker.status() == psutil.STATUS_SLEEPING)
    for each in stalled:
        each.close()
