"""Servers for asyncio and socketserver with TLS of their own are hosted without a line changed."""

from __future__ import annotations

import asyncio
import http.client
import json
import smtplib
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from certificates import authority_pem, client_context, pair
from operated import reload_by_signal
from sources import source

from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    import ssl
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = {workers}
drain_timeout = 20
[[listener]]
name = "it"
bind = ["{bind}"]
protocol = "{protocol}"
options = {{ target = "application:{target}" }}
"""


def start(
    pool: Pools,
    target: str,
    *,
    protocol: str = "asyncio",
    workers: int = 1,
    bind: str = "tcp://127.0.0.1:0",
    **options: Any,
) -> PoolProcess:
    files = {
        "application.py": source("served/hosted_tls.py"),
        "server.crt": pair().certificate.decode(),
        "server.key": pair().key.decode(),
    }
    toml = TOML.format(protocol=protocol, target=target, bind=bind, workers=workers)
    return pool(toml, files=files, environment={"PYTHONDONTWRITEBYTECODE": "1"}, **options)


def of_the_listener(folder: Path) -> str:
    """Return the URL of a listener that speaks TLS itself."""
    certificate, key = pair().write(folder)
    return f"tls://127.0.0.1:0?cert={certificate}&key={key}"


def ask(client: socket.socket, sent: bytes, expected: bytes) -> None:
    client.sendall(sent)
    assert receive_exactly(client, len(expected)) == expected


def secure(client: socket.socket) -> ssl.SSLSocket:
    return client_context().wrap_socket(client, server_hostname="localhost")


def facts_of(client: ssl.SSLSocket) -> dict[str, object]:
    client.sendall(b"facts\n")
    line = b""
    while not line.endswith(b"\n"):
        line += receive_exactly(client, 1)
    facts: dict[str, object] = json.loads(line)
    return facts


def expected_facts(client: ssl.SSLSocket) -> dict[str, object]:
    cipher = client.cipher()
    assert cipher is not None
    return {
        "version": client.version(),
        "cipher": cipher[0],
        "context": "SSLContext",
        "peercert": None,
        "peername": "127.0.0.1",
    }


@pytest.mark.parametrize("target", ["streams", "protocol"])
def test_a_server_with_tls_serves_over_two_workers(pool: Pools, target: str) -> None:
    running = start(pool, target, workers=2)
    for _ in range(4):
        with secure(running.connect()) as client:
            ask(client, b"one\n", b"hello\n<one>\n")
            assert facts_of(client) == expected_facts(client)
            big = b"x" * 50_000
            ask(client, big + b"\n", b"<" + big + b">\n")


@pytest.mark.parametrize("target", ["lines", "Lines"])
def test_a_listener_with_tls_tells_a_hosted_server_of_it(pool: Pools, tmp_path: Path, target: str) -> None:
    running = start(pool, target, bind=of_the_listener(tmp_path))
    with secure(running.connect()) as client:
        ask(client, b"one\n", b"hello\n<one>\n")
        facts = facts_of(client)
        assert facts.pop("context") in {"SSLContext", "ServerContext"}
        expected = expected_facts(client)
        assert facts == {key: expected[key] for key in facts}


@pytest.mark.parametrize("target", ["later", "lines", "Lines"])
def test_tls_begins_after_a_command(pool: Pools, target: str) -> None:
    running = start(pool, target)
    with running.connect() as client:
        ask(client, b"one\n", b"hello\n<one>\n")
        ask(client, b"starttls\n", b"go\n")
        with secure(client) as secured:
            ask(secured, b"", b"secret\n")
            ask(secured, b"two\n", b"<two>\n")
            assert facts_of(secured) == expected_facts(secured)


@pytest.mark.parametrize("target", ["later", "lines", "Lines"])
def test_what_stands_behind_the_command_is_not_said_in_secret(pool: Pools, target: str) -> None:
    """As it would be under asyncio: CVE-2011-0411."""
    running = start(pool, target)
    with running.connect() as client:
        ask(client, b"starttls\nevil\nevil", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"", b"secret\n")
            ask(secured, b"good\n", b"<good>\n")


def test_a_handshake_that_fails_costs_its_connection(pool: Pools) -> None:
    running = start(pool, "protocol")
    with running.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while client.recv(1000):
            pass
    with running.connect() as stalls:
        stalls.settimeout(None)
        stalls.sendall(b"\x16\x03")
        assert stalls.recv(10) == b"", "the server's own ssl_handshake_timeout"
    with secure(running.connect()) as client:
        ask(client, b"one\n", b"hello\n<one>\n")
    lost = running.directory / "lost"
    wait_until(lambda: lost.exists() and lost.read_text().endswith("\n"))
    assert lost.read_text().count("\n") == 1, "a protocol without a handshake was never made a connection"


def test_a_reload_closes_what_is_idle_by_tls_own_end(pool: Pools) -> None:
    running = start(pool, "streams")
    with secure(running.connect()) as client:
        ask(client, b"one\n", b"hello\n<one>\n")
        reload_by_signal(running)
        assert client.recv(10) == b""


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("wrong_timeout", "ssl_handshake_timeout is only meaningful with ssl"),
        ("wrong_context", "ssl argument must be an SSLContext or None"),
    ],
)
def test_wrong_arguments_are_refused_as_by_asyncio(pool: Pools, target: str, says: str) -> None:
    running = start(pool, target, wait=False, exit_status=3, traceback=True)
    running.wait()
    assert says in running.stderr


@pytest.mark.parametrize(("protocol", "target"), [("asyncio", "streams"), ("socketserver", "https")])
def test_tls_within_tls_is_refused(pool: Pools, tmp_path: Path, protocol: str, target: str) -> None:
    bind = of_the_listener(tmp_path)
    running = start(pool, target, protocol=protocol, bind=bind, wait=False, exit_status=3)
    running.wait()
    assert "it speaks TLS, and so does its listener on tls://127.0.0.1:" in running.stderr


def test_a_program_that_wraps_the_socket_of_its_server_has_tls(pool: Pools) -> None:
    running = start(pool, "https", protocol="socketserver", workers=2)
    for _ in range(4):
        port = int(running.urls()[0].rpartition(":")[2])
        client = http.client.HTTPSConnection("localhost", port, context=client_context())
        client.request("GET", "/")
        version, cipher, peer = json.loads(client.getresponse().read())
        assert (version, peer) == (client.sock.version(), "127.0.0.1")
        assert cipher == client.sock.cipher()[0]
        client.close()
    with running.connect() as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while plain.recv(1000):
            pass
    wait_until(lambda: running.status()["totals"]["layer_failures"] == 1)


def test_a_handler_of_socketserver_begins_tls(pool: Pools) -> None:
    running = start(pool, "Upgrades", protocol="socketserver")
    with running.connect() as client:
        ask(client, b"one\nstarttls\nevil\n", b"<one>\ngo\n")
        with secure(client) as secured:
            ask(secured, b"two\n", b"secret\n<two>\n")


def test_a_handler_that_wraps_its_connection_is_told_what_to_do(pool: Pools) -> None:
    running = start(pool, "Wraps", protocol="socketserver", traceback=True)
    with running.connect() as client:
        assert client.recv(10) == b""
    wait_until(lambda: "ssl can't wrap a hosted connection: call self.request.start_tls(context)" in running.stderr)


def test_a_server_that_would_wrap_each_connection_is_served_with_a_warning(pool: Pools) -> None:
    running = start(pool, "wraps_each", protocol="socketserver")
    running.wait_logged("hosted_server_method_not_called target=application:wraps_each method=get_request")


def test_clients_of_asyncio_begin_tls(pool: Pools) -> None:
    running = start(pool, "later")

    async def talk() -> bytes:
        host, _, port = running.urls()[0].removeprefix("tcp://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"starttls\n")
        assert await reader.readexactly(9) == b"hello\ngo\n"
        await writer.start_tls(client_context(), server_hostname="localhost")
        writer.write(b"two\n")
        answer = await reader.readexactly(13)
        writer.close()
        await writer.wait_closed()
        return answer

    assert asyncio.run(talk()) == b"secret\n<two>\n"


def test_mail_is_received_over_starttls_in_two_workers(pool: Pools, tmp_path: Path) -> None:
    running = start(pool, "smtp", workers=2)
    host, _, port = running.urls()[0].removeprefix("tcp://").rpartition(":")
    for number in range(4):
        with smtplib.SMTP(host, int(port)) as client:
            client._host = "localhost"  # type: ignore[attr-defined]  # noqa: SLF001  # the name to verify
            client.starttls(context=client_context())
            client.sendmail("a@example.com", ["b@example.com"], f"Subject: secret {number}\r\n\r\nHello.\r\n")
    mail = (running.directory / "mail").read_text()
    assert all(f"Subject: secret {number}" in mail for number in range(4))

    authority = tmp_path / "ca.pem"
    authority.write_text(authority_pem())
    command = ["openssl", "s_client", "-starttls", "smtp", "-connect", f"{host}:{port}", "-CAfile", str(authority)]
    told = subprocess.run(  # noqa: S603
        [*command, "-verify_return_error", "-quiet"],
        input=b"NOOP\nQUIT\n",
        check=False,
        capture_output=True,
        timeout=None,
    )
    assert b"250 OK" in told.stdout
    assert b"221 Bye" in told.stdout

    with running.connect() as client:
        assert receive_exactly(client, 4) == b"220 "
        client.sendall(b"EHLO evil.example\r\nSTARTTLS\r\nRSET\r\nNOOP\r\n")
        while b"220 Ready" not in (said := client.recv(4096)):
            assert said
        with secure(client) as secured:
            secured.sendall(b"NOOP first\r\nQUIT\r\n")
            answers = b""
            while data := secured.recv(4096):
                answers += data
    assert answers.count(b"250 OK") == 1
