"""A PROXY header before TLS: from a socket, and from HAProxy, which passes TLS on or speaks it again."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from certificates import client_context, pair
from extension_client import config, plugin_files
from http_client import http_toml, parse, request
from proxy_headers import AUTHORITY, SSL_VERSION, TCP4, checked, ips, tls, tlv, v1
from proxy_programs import haproxy
from sources import source

from corepool.testing.sockets import receive_all, reserved_port
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CLIENT, SERVER = ("203.0.113.7", 4711), ("198.51.100.1", 443)
V1, V2 = v1(CLIENT, SERVER), checked(TCP4, ips(CLIENT, SERVER) + tlv(AUTHORITY, b"shop.example"))
ACCEPT = 'accept_proxy = "127.0.0.0/8"\naccept_proxy_timeout = "1h"'
HAPROXY = """
defaults
    mode tcp
    timeout connect 60s
    timeout client 600s
    timeout server 600s
frontend in
    bind 127.0.0.1:{port} {bind}
    default_backend out
backend out
    server it 127.0.0.1:{server} {options}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="corepool-") as name:
        pair().write(Path(name))
        yield Path(name)


def bind(folder: Path) -> str:
    return f"tls://127.0.0.1:0?cert={folder}/server.crt&key={folder}/server.key"


def serve(pool: Pools, folder: Path) -> PoolProcess:
    toml = config(protocol="facts", bind=bind(folder), listener=ACCEPT)
    return pool(toml, files=plugin_files("facts", "Facts", source("plugins/facts.py")))


def port_of(running: PoolProcess) -> int:
    return int(running.urls()[0].partition("?")[0].rpartition(":")[2])


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), DEADLINE_S)


def told(client: ssl.SSLSocket) -> Any:
    client.sendall(b"who am I\n")
    with client.makefile("rb") as lines:
        return json.loads(lines.readline())


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_tls_begins_behind_the_header(pool: Pools, folder: Path, header: bytes) -> None:
    running = serve(pool, folder)
    with connect(port_of(running)) as plain:
        plain.sendall(header)
        with client_context().wrap_socket(plain, server_hostname="localhost") as client:
            facts = told(client)
            assert (facts["peer"], facts["tls"]) == ([*CLIENT], client.version())


def test_header_and_handshake_may_come_at_once(pool: Pools, folder: Path) -> None:
    """As with HAProxy, which sends both in one segment: not a byte of the second is the header's."""
    running = serve(pool, folder)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    with connect(port_of(running)) as plain:
        plain.sendall(V2 + outgoing.read())
        while True:
            incoming.write(plain.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
                break
        plain.sendall(outgoing.read())
        client.write(b"who am I\n")
        plain.sendall(outgoing.read())
        reply = b""
        while not reply.endswith(b"\n"):
            incoming.write(plain.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                reply += client.read()
        assert json.loads(reply)["peer"] == [*CLIENT]


def test_tls_without_the_header_is_refused_before_the_handshake(pool: Pools, folder: Path) -> None:
    running = serve(pool, folder)
    with connect(port_of(running)) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
        client_context().wrap_socket(plain, server_hostname="localhost")
    wait_until(lambda: running.status()["totals"]["proxy_failures"] == 1)  # type: ignore[typeddict-item]


@contextlib.contextmanager
def behind_haproxy(folder: Path, running: PoolProcess, options: str, bind: str = "") -> Iterator[int]:
    with reserved_port() as port:
        text = HAPROXY.format(port=port, bind=bind, server=port_of(running), options=options)
        (folder / "haproxy.cfg").write_text(text)
        with haproxy(folder, port):
            yield port


@pytest.mark.parametrize("options", ["send-proxy", "send-proxy-v2"])
def test_haproxy_passes_tls_on(pool: Pools, folder: Path, options: str) -> None:
    running = serve(pool, folder)
    with (
        behind_haproxy(folder, running, options) as port,
        connect(port) as plain,
        client_context().wrap_socket(plain, server_hostname="localhost") as client,
    ):
        facts = told(client)
        assert facts["peer"] == [*client.getsockname()]
        assert (facts["tls"], facts["proxy"]["tls"]) == (client.version(), None)


def test_haproxy_speaks_tls_with_both(pool: Pools, folder: Path) -> None:
    running = serve(pool, folder)
    (folder / "both.pem").write_bytes(pair().certificate + pair().key)
    options = "ssl verify none send-proxy-v2 proxy-v2-options ssl"
    with (
        behind_haproxy(folder, running, options, f"ssl crt {folder}/both.pem") as port,
        connect(port) as plain,
        client_context().wrap_socket(plain, server_hostname="localhost") as client,
    ):
        facts = told(client)
        assert facts["peer"] == [*client.getsockname()]
        assert facts["proxy"]["tls"]["version"] == client.version()
        assert facts["tls"].startswith("TLSv1.")


@pytest.mark.parametrize(
    ("header", "variables"),
    [(V2, True), (checked(TCP4, ips(CLIENT, SERVER) + tls(1, 1, (SSL_VERSION, b"TLSv1.2"))), False)],
    ids=["passed on", "spoken by the proxy"],
)
def test_the_facts_of_tls_that_wsgi_is_told_are_the_clients_or_none(
    pool: Pools,
    folder: Path,
    header: bytes,
    variables: bool,  # noqa: FBT001
) -> None:
    toml = http_toml(bind=bind(folder), listener=ACCEPT, target="ends:secured")
    running = pool(toml, files={"ends.py": source("served/ends.py")})
    with connect(port_of(running)) as plain:
        plain.sendall(header)
        with client_context().wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(request("/"))
            [response] = parse(receive_all(client), ["GET"])
    assert json.loads(response.body) == [CLIENT[0], "https", variables]
