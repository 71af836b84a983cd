"""Pools that speak TLS: sessions over workers, new certificates, clients that stall or send garbage."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from certificates import client_context, pair, write_secret
from http_client import http_toml
from operated import corepool
from tls_pools import connect_tls, port_of, s_client, tls_url

from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

STALLED = 2000
GARBAGE = 500


def toml(bind: str, *, workers: int = 2, more: str = "") -> str:
    return f"""
[pool]
workers = {workers}
dispatcher = "round-robin"
[[listener]]
name = "echo"
bind = ["{bind}"]
protocol = "echo"
{more}
"""


def echoes(client: socket.socket, data: bytes = b"hello") -> bool:
    client.sendall(data)
    return receive_exactly(client, len(data)) == data


def failures(running: PoolProcess) -> dict[str, int]:
    """Return the handshakes that have failed, by reason."""
    told = running.status()["listeners"][0]["handshake_failures"]
    return {reason: count for reason, count in told.items() if count}


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_any_worker_resumes_a_session_also_after_new_certificates(pool: Pools, tmp_path: Path, version: str) -> None:
    running = pool(http_toml(workers=4, bind=tls_url(tmp_path), root=str(tmp_path)))
    session = str(tmp_path / "session")

    def connects(*arguments: str) -> str:
        done = s_client(running, tmp_path, version, *arguments, "-ign_eof", text="GET / HTTP/1.0\r\n\r\n")
        assert done.returncode == 0, done.stderr
        return next(line for line in done.stdout.splitlines() if line.startswith(("New, ", "Reused, ")))

    assert connects("-sess_out", session).startswith("New, ")
    assert {connects("-sess_in", session).partition(",")[0] for _ in range(4)} == {"Reused"}
    accepted = [each["accepted"] for each in running.status()["workers"]]
    assert min(accepted) > 0, "every worker has met the client"

    pair("localhost", "new.example").write(tmp_path)
    assert corepool(running, "renew").returncode == 0
    assert {connects("-sess_in", session).partition(",")[0] for _ in range(4)} == {"Reused"}
    assert corepool(running, "reload").returncode == 0
    assert {connects("-sess_in", session).partition(",")[0] for _ in range(4)} == {"Reused"}


def test_a_new_certificate_is_used_by_workers_that_run_and_open_connections_stay(pool: Pools, tmp_path: Path) -> None:
    running = pool(toml(tls_url(tmp_path)))
    pids = running.workers()
    with connect_tls(running) as client:
        before = client.getpeercert()
        assert echoes(client)
        pair("localhost", "new.example").write(tmp_path)
        wait_until(lambda: _names(running) == {"localhost", "new.example"})

        assert echoes(client)
        assert client.getpeercert() == before
    assert running.workers() == pids


def _names(running: PoolProcess) -> set[str]:
    with connect_tls(running) as client:
        found = client.getpeercert()
        assert found is not None
        return {name for _, name in found["subjectAltName"] if name not in {"127.0.0.1", "::1"}}


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to give it up")
def test_workers_without_privileges_serve_with_keys_that_only_root_may_read(pool: Pools, tmp_path: Path) -> None:
    bind = tls_url(tmp_path)
    tmp_path.chmod(0o700)
    running = pool(toml(bind, more='[process]\nuser = "nobody"\n'))
    with connect_tls(running) as client:
        assert echoes(client)

    pair("localhost", "new.example").write(tmp_path)
    done = corepool(running, "renew")

    assert done.returncode == 0, done.stderr
    for _ in range(4):
        assert _names(running) == {"localhost", "new.example"}


def test_an_encrypted_key_serves_before_and_after_a_renewal(pool: Pools, tmp_path: Path) -> None:
    write_secret(tmp_path / "password", b"secret\n")
    bind = tls_url(tmp_path, password_file=tmp_path / "password")
    pair().encrypted(b"secret").write(tmp_path)
    running = pool(toml(bind))
    with connect_tls(running) as client:
        assert echoes(client)
    pair("localhost", "new.example").encrypted(b"secret").write(tmp_path)
    assert corepool(running, "renew").returncode == 0
    assert _names(running) == {"localhost", "new.example"}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("chmod", "is a secret"),
        ("mismatch", "does not fit the certificate"),
        ("missing", "No such file"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_mistakes_in_files_are_found_before_the_start(tmp_path: Path, command: str, spoil: str, words: str) -> None:
    bind, key = tls_url(tmp_path), tmp_path / "server.key"
    if spoil == "chmod":
        key.chmod(0o644)
    elif spoil == "mismatch":
        key.write_bytes(pair("another.example").key)
    else:
        key.unlink()
    (tmp_path / "corepool.toml").write_text(toml(bind))

    done = subprocess.run(  # noqa: S603 - the command is the test's own
        [sys.executable, "-m", "corepool", command, "corepool.toml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    output = done.stdout + done.stderr
    assert done.returncode == 2
    assert words in output
    assert str(key) in output
    assert "listener[0].bind[0]" in output
    assert "Traceback" not in output


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Allow this process as many descriptors as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < STALLED + 500:
        pytest.skip(f"takes {STALLED + 500} descriptors, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def hello() -> bytes:
    """Return a client's first record."""
    outgoing = ssl.MemoryBIO()
    client = client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.usefixtures("many_descriptors")
def test_clients_that_stall_in_the_handshake_keep_no_other_waiting(pool: Pools, tmp_path: Path) -> None:
    running = pool(toml(tls_url(tmp_path, handshake_timeout="1h")))
    pids, first = running.workers(), hello()
    stalled = []
    for number in range(STALLED):
        client = socket.create_connection(("127.0.0.1", port_of(running)), timeout=300)
        client.sendall(first[: number % (len(first) + 1)])
        stalled.append(client)
    wait_until(lambda: running.status()["listeners"][0]["active"] == STALLED)

    for _ in range(20):
        with connect_tls(running) as client:
            assert echoes(client)

    assert running.status()["listeners"][0]["active"] >= STALLED
    assert running.workers() == pids
    for client in stalled:
        client.close()
    wait_until(lambda: running.status()["listeners"][0]["active"] == 0)
    wait_until(lambda: failures(running) == {"reset": STALLED})


def test_a_client_that_stalls_is_given_up(pool: Pools, tmp_path: Path) -> None:
    running = pool(toml(tls_url(tmp_path, handshake_timeout="100ms")))
    with socket.create_connection(("127.0.0.1", port_of(running)), timeout=300) as client:
        client.sendall(hello()[:10])
        assert client.recv(100) == b""

    wait_until(lambda: failures(running) == {"timeout": 1})
    wait_until(lambda: "handshake_failed listener=echo" in running.stderr and "reason=timeout" in running.stderr)


def test_garbage_ends_no_worker(pool: Pools, tmp_path: Path) -> None:
    running = pool(toml(tls_url(tmp_path)))
    pids, seeded, first = running.workers(), random.Random(22), hello()  # noqa: S311  # the same each time
    for number in range(GARBAGE):
        garbage = seeded.randbytes(seeded.randrange(1, 2000))
        with socket.create_connection(("127.0.0.1", port_of(running)), timeout=300) as client:
            client.sendall(garbage if number % 2 else first[: seeded.randrange(1, len(first))] + garbage)
            client.shutdown(socket.SHUT_WR)

    with connect_tls(running) as client:
        assert echoes(client)
    wait_until(lambda: running.status()["listeners"][0]["closed"] == GARBAGE + 1)
    assert running.workers() == pids
    wait_until(lambda: sum(failures(running).values()) == GARBAGE)
    assert running.status()["totals"]["hook_errors"] == 0


def test_a_reload_that_fails_changes_nothing_in_alpn(pool: Pools, tmp_path: Path) -> None:
    bind = tls_url(tmp_path)
    running = pool(toml(bind))
    pids = running.workers()
    config = running.directory / "corepool.toml"
    other = http_toml(workers=2, bind=bind, root=str(tmp_path))
    config.write_text(f'{other}\n[[listener]]\nname = "x"\nbind = "tcp://192.0.2.1:1"\nprotocol = "echo"\n')
    done = corepool(running, "reload")
    assert done.returncode == 1
    assert "192.0.2.1" in done.stderr

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(running.workers()) - set(pids)) == len(pids))
    context = client_context()
    context.set_alpn_protocols(["http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", port_of(running)), timeout=300) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        assert client.selected_alpn_protocol() is None
        assert echoes(client)
