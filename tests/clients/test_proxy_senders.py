"""Programs that send PROXY headers: HAProxy and nginx in front of a pool, and curl."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from certificates import authority, client_context, pair
from extension_client import config, plugin_files
from http_client import http_toml
from proxy_programs import haproxy, nginx_stream, why_no_stream
from sources import source

from corepool.testing.sockets import connect, reserved_port
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

FILES = plugin_files("facts", "Facts", source("plugins/facts.py"))
ACCEPT = 'accept_proxy = ["127.0.0.0/8", "unix"]\naccept_proxy_timeout = "1h"'
HAPROXY = """
defaults
    mode tcp
    timeout connect 60s
    timeout client 600s
    timeout server 600s
frontend in
    bind 127.0.0.1:{port} {bind}
    unique-id-format %ci:%cp
    default_backend out
backend out
    server it {server} {options}
"""
NGINX = """
server {{
    listen 127.0.0.1:{port};
    proxy_pass {server};
    proxy_protocol on;
}}
"""


@pytest.fixture(params=["tcp", "unix"])
def running(request: pytest.FixtureRequest, pool: Pools) -> Iterator[PoolProcess]:
    with tempfile.TemporaryDirectory(prefix="corepool-") as folder:
        bind = "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{folder}/it.sock"
        yield pool(config(protocol="facts", bind=bind, listener=ACCEPT), files=FILES)


def server_of(running: PoolProcess, program: str = "haproxy") -> str:
    """Spell a pool's address as the program does."""
    url = running.urls()[0]
    if url.startswith("tcp://"):
        return url.removeprefix("tcp://")
    path = url.removeprefix("unix://")
    return f"unix@{path}" if program == "haproxy" else f"unix:{path}"


@contextlib.contextmanager
def behind_haproxy(server: str, options: str, bind: str = "", folder: Path | None = None) -> Iterator[int]:
    """Run HAProxy in front of a server, and yield its port."""
    with tempfile.TemporaryDirectory(prefix="corepool-") as name, reserved_port() as port:
        place = folder or Path(name)
        text = HAPROXY.format(port=port, bind=bind, server=server, options=options)
        (place / "haproxy.cfg").write_text(text)
        with haproxy(place, port):
            yield port


def told(client: socket.socket) -> Any:
    client.sendall(b"who am I\n")
    with client.makefile("rb") as lines:
        return json.loads(lines.readline())


@pytest.mark.parametrize(("options", "version"), [("send-proxy", 1), ("send-proxy-v2", 2)])
def test_haproxy_tells_of_its_client(running: PoolProcess, options: str, version: int) -> None:
    with behind_haproxy(server_of(running), options) as port, connect(f"tcp://127.0.0.1:{port}") as client:
        facts = told(client)
        assert facts["peer"] == [*client.getsockname()]
        assert facts["local"] == ["127.0.0.1", port]
        assert facts["proxy"]["version"] == version


def test_haproxy_tells_of_tls_and_everything_else_that_it_knows(pool: Pools, tmp_path: Path) -> None:
    running = pool(config(protocol="facts", listener=ACCEPT), files=FILES)
    served, its = pair("shop.example"), authority().issue_cert(common_name="anna")
    (tmp_path / "both.pem").write_bytes(served.certificate + served.key)
    (tmp_path / "both.pem").chmod(0o600)
    authority().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = client_context()
    its.configure_cert(context)
    context.set_alpn_protocols(["h2", "spdy"])
    bind = f"ssl crt {tmp_path}/both.pem ca-file {tmp_path}/ca.pem verify optional alpn h2"
    options = "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id"
    with (
        behind_haproxy(server_of(running), options, bind, tmp_path) as port,
        connect(f"tcp://127.0.0.1:{port}") as plain,
        context.wrap_socket(plain, server_hostname="shop.example") as client,
    ):
        facts = told(client)
        cipher, version = client.cipher(), client.version()
        assert cipher is not None
        assert facts["peer"] == [*client.getsockname()]
        assert facts["proxy"]["authority"] == "shop.example"
        assert facts["proxy"]["alpn"] == "h2"
        assert "127.0.0.1" in facts["proxy"]["unique_id"]
        assert facts["proxy"]["tls"] == {
            "version": version,
            "cipher": cipher[0],
            "client_name": "anna",
            "has_client_certificate": True,
            "verified": True,
        }
        assert 0x03 in [kind for kind, _ in facts["proxy"]["tlvs"]]


@pytest.mark.parametrize("options", ["send-proxy check-send-proxy", "send-proxy-v2 check-send-proxy", "send-proxy"])
def test_health_checks_of_haproxy_are_no_failures(pool: Pools, options: str) -> None:
    """With a header for itself, or (TCP alone) without a byte."""
    running = pool(config(protocol="facts", listener=ACCEPT), files=FILES)
    checked = f"{options} check inter 50ms" + ("" if "check-" in options else " no-check-send-proxy")
    with behind_haproxy(server_of(running), checked) as port:
        wait_until(lambda: running.status()["totals"]["closed"] >= 3)
        with connect(f"tcp://127.0.0.1:{port}") as client:
            assert told(client)["peer"] == [*client.getsockname()]
    assert running.status()["totals"]["proxy_failures"] == 0  # type: ignore[typeddict-item]


def test_a_haproxy_that_sends_no_header_gets_no_answer_and_the_log_says_why(pool: Pools) -> None:
    running = pool(config(protocol="facts", listener=ACCEPT), files=FILES)
    with (
        behind_haproxy(server_of(running), "") as port,
        connect(f"tcp://127.0.0.1:{port}") as client,
        contextlib.suppress(ConnectionResetError),
    ):
        client.sendall(b"who am I\n")
        assert client.recv(1) == b""
    wait_until(lambda: "proxy_header_refused" in running.stderr)


def test_nginx_tells_of_its_client(running: PoolProcess, tmp_path: Path) -> None:
    reason = why_no_stream()
    if reason is not None:
        pytest.skip(reason)
    with reserved_port() as port:
        (tmp_path / "stream.conf").write_text(NGINX.format(port=port, server=server_of(running, "nginx")))
        with nginx_stream(tmp_path, port), connect(f"tcp://127.0.0.1:{port}") as client:
            facts = told(client)
            assert facts["peer"] == [*client.getsockname()]
            assert facts["local"] == ["127.0.0.1", port]
            assert facts["proxy"]["version"] == 1


def test_curl_speaks_http_behind_its_own_header(pool: Pools) -> None:
    curl = shutil.which("curl")
    assert curl is not None
    running = pool(http_toml(listener=ACCEPT, target="ends:asgi"), files={"ends.py": source("served/ends.py")})
    url = running.urls()[0].replace("tcp:", "http:")
    command = [curl, "--silent", "--show-error", "--max-time", "300", "--write-out", " %{local_port}", url]
    done = subprocess.run([*command, "--haproxy-protocol"], capture_output=True, text=True, check=True)  # noqa: S603
    body, _, port = done.stdout.rpartition(" ")
    assert json.loads(body)[0] == ["127.0.0.1", int(port)]

    without = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert without.returncode in (52, 56)  # an empty reply, or a reset
