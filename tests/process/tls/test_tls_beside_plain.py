"""TLS and several protocols: that which ALPN names, that of the first bytes; and clients without TLS on the port."""

from __future__ import annotations

import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from certificates import client_context
from sources import metadata, source
from tls_pools import connect_tls, port_of, s_client, tls_url

from corepool.testing.sockets import connect, receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 1
[[listener]]
name = "all"
bind = "{bind}"
protocols = ["http", "kv", "greeter"]
default = "greeter"
sniff_timeout = "{timeout}"
[listener.protocol_options.http]
root = "public"
[listener.protocol_options.kv]
store = "memory:"
"""
FILES = {
    "ports.py": source("plugins/ports.py"),
    **metadata("ports", "[corepool.protocols]\ngreeter = ports:Greeter\n"),
    "public/index.html": "a page\n",
}


def start(pool: Pools, folder: Path, timeout: str = "1h", **query: object) -> PoolProcess:
    return pool(TOML.format(bind=tls_url(folder, **query), timeout=timeout), files=FILES)


def accepted(running: PoolProcess) -> dict[str, int]:
    return {each["name"]: each["accepted"] for each in running.status()["listeners"][0]["protocols"]}


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - the test's own


def test_alpn_names_the_protocol_and_else_the_first_bytes_do(pool: Pools, tmp_path: Path) -> None:
    running = start(pool, tmp_path)
    authority = str(tmp_path / "ca.pem")
    done = s_client(running, tmp_path, "-alpn", "h2,http/1.1", text="")
    assert "ALPN protocol: h2" in done.stdout
    wait_until(lambda: accepted(running) == {"http": 1, "kv": 0, "greeter": 0})

    number = str(port_of(running))
    assert run("curl", "-sS", "--cacert", authority, f"https://localhost:{number}/index.html") == "a page\n"
    assert (
        run("curl", "-sS", "--no-alpn", "--cacert", authority, f"https://localhost:{number}/index.html") == "a page\n"
    )
    assert run("redis-cli", "--tls", "--cacert", authority, "-h", "localhost", "-p", number, "PING") == "PONG\n"
    with connect_tls(running) as client:
        client.sendall(b"something else\n")
        assert receive_exactly(client, 27) == b"220 welcome\nsomething else\n"
    wait_until(lambda: accepted(running) == {"http": 3, "kv": 1, "greeter": 1})


def test_a_protocol_that_speaks_first_does_so_in_tls(pool: Pools, tmp_path: Path) -> None:
    running = start(pool, tmp_path, "100ms")
    with connect_tls(running) as client:
        assert receive_exactly(client, 12) == b"220 welcome\n"


@pytest.mark.parametrize("timeout", ["1h", "100ms"])
def test_a_port_takes_plain_and_tls(pool: Pools, tmp_path: Path, timeout: str) -> None:
    running = start(pool, tmp_path, timeout, plain="true")
    number, authority = str(port_of(running)), str(tmp_path / "ca.pem")
    assert run("curl", "-sS", "--cacert", authority, f"https://localhost:{number}/index.html") == "a page\n"
    assert run("curl", "-sS", f"http://127.0.0.1:{number}/index.html") == "a page\n"
    assert run("redis-cli", "-p", number, "PING") == "PONG\n"
    with connect(f"tcp://127.0.0.1:{number}") as plain:
        if timeout == "1h":
            plain.sendall(b"\x15")
            plain.shutdown(socket.SHUT_WR)
        assert receive_exactly(plain, 12) == b"220 welcome\n"
    assert running.status()["totals"]["layer_failures"] == 0


def test_one_protocol_may_be_behind_both_and_a_hello_may_dribble(pool: Pools, tmp_path: Path) -> None:
    text = TOML.format(bind=tls_url(tmp_path, plain="true"), timeout="1h").partition("protocols")[0]
    running = pool(text + 'protocol = "echo"\n')
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with connect(f"tcp://127.0.0.1:{port_of(running)}") as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    wire.sendall(bytes((byte,)))
                incoming.write(wire.recv(65536))
        assert client.version() == "TLSv1.3"
    with connect(f"tcp://127.0.0.1:{port_of(running)}") as plain:
        plain.sendall(b"hello")
        assert receive_exactly(plain, 5) == b"hello"
