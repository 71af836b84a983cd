"""STARTTLS in each way to write a protocol, over real connections, with Python's ssl and openssl as clients."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from certificates import client_context, pair
from operated import reload_by_signal
from sources import metadata, source

from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

WAYS = ("callbacks", "coroutine", "threads")
FILES = {
    **metadata("starttls", "[corepool.protocols]\n" + "".join(f"{w} = starttls:{w.capitalize()}\n" for w in WAYS)),
    "starttls.py": source("plugins/starttls.py"),
}
TOML = """
[pool]
workers = {workers}
drain_timeout = 20
[[listener]]
name = "it"
bind = ["{bind}"]
protocol = "{way}"
{more}
"""

each_way = pytest.mark.parametrize("way", WAYS)


def start(pool: Pools, way: str, *, workers: int = 1, more: str = "", bind: str = "") -> PoolProcess:
    """Start a pool whose protocol has a context of its own, or whose listener on `bind` has the certificates."""
    files = FILES if bind else FILES | {"server.crt": pair().certificate.decode(), "server.key": pair().key.decode()}
    toml = TOML.format(way=way, workers=workers, more=more, bind=bind or "tcp://127.0.0.1:0")
    return pool(toml, files=files, environment={"PYTHONDONTWRITEBYTECODE": "1"}, traceback=True)


def ask(client: socket.socket, sent: bytes, expected: bytes) -> None:
    client.sendall(sent)
    assert receive_exactly(client, len(expected)) == expected


def secure(client: socket.socket) -> ssl.SSLSocket:
    secured = client_context().wrap_socket(client, server_hostname="localhost")
    assert receive_exactly(secured, 7) == b"secret\n"
    return secured


def line_of(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += receive_exactly(client, 1)
    return line


def reasons(running: PoolProcess) -> str:
    noted: Path = running.directory / "reasons"
    return noted.read_text() if noted.exists() else ""


def layer_failures(running: PoolProcess) -> int:
    return int(running.status()["totals"]["layer_failures"])


@each_way
@pytest.mark.parametrize("workers", [1, 2])
def test_a_conversation_goes_on_in_secret(pool: Pools, way: str, workers: int) -> None:
    running = start(pool, way, workers=workers)
    for _ in range(3 * workers):
        with running.connect() as client:
            ask(client, b"one\n", b"hello\n<one>\n")
            ask(client, b"facts\n", b'{"tls": null, "cipher": null}\n')
            ask(client, b"starttls\n", b"go\n")
            with secure(client) as secured:
                ask(secured, b"two\nthree\n", b"<two>\n<three>\n")
                secured.sendall(b"facts\n")
                facts = json.loads(line_of(secured))
                assert facts == {"tls": secured.version(), "cipher": (secured.cipher() or ("",))[0]}
                secured.sendall(b"again\n")
                assert b"the connection is encrypted already" in line_of(secured)
                secured.sendall(b"x" * 900 + b"\n")
                assert len(line_of(secured)) == 903
                secured.sendall(b"quit\n")
                assert secured.recv(10) == b"", "its end is TLS's own"


@each_way
def test_the_certificates_may_be_those_of_the_listener(pool: Pools, way: str, tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    running = start(pool, way, workers=2, bind=f"tls://127.0.0.1:0?cert={certificate}&key={key}&starttls=true")
    context, session = client_context(), None
    for number in range(6):
        with running.connect() as client:
            ask(client, b"one\n", b"hello\n<one>\n")
            ask(client, b"starttls\n", b"go\n")
            with context.wrap_socket(client, server_hostname="localhost", session=session) as secured:
                ask(secured, b"", b"secret\n")
                assert secured.session_reused == (number > 0), "whichever worker has made it"
                session = secured.session


@each_way
def test_a_listener_that_speaks_tls_at_once_lets_a_protocol_speak_first(pool: Pools, way: str, tmp_path: Path) -> None:
    certificate, key = pair().write(tmp_path)
    running = start(pool, way, bind=f"tls://127.0.0.1:0?cert={certificate}&key={key}")
    with client_context().wrap_socket(running.connect(), server_hostname="localhost") as client:
        ask(client, b"one\n", b"hello\n<one>\n")
        client.sendall(b"facts\n")
        assert json.loads(line_of(client))["tls"] == client.version()
        client.sendall(b"again\n")
        assert b"the connection is encrypted already" in line_of(client)


@each_way
def test_without_any_certificate_the_call_is_refused_in_words(pool: Pools, way: str) -> None:
    running = start(pool, way, bind="tcp://127.0.0.1:0")
    with running.connect() as client:
        ask(client, b"again\n", b"hello\n")
        assert line_of(client).startswith(b"start_tls: the listener 'it' has no certificates: give start_tls an")


@each_way
def test_what_stands_behind_the_command_is_not_said_in_secret(pool: Pools, way: str) -> None:
    """An attacker between client and server adds a line; the client must not be answered for it (CVE-2011-0411)."""
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls\nevil\nevil", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"good\n", b"<good>\n")


@pytest.mark.parametrize("way", ["coroutine", "threads"])
def test_a_handler_may_take_its_time_between_the_answer_and_tls(pool: Pools, way: str) -> None:
    """The client's handshake is there before: it is not lost, and not taken for lines either."""
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls late\n", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"good\n", b"<good>\n")


@pytest.mark.parametrize("way", ["coroutine", "threads"])
def test_a_handler_may_be_tired_of_waiting(pool: Pools, way: str) -> None:
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls soon\n", b"hello\ngo\n")
        assert client.recv(10) == b""
    wait_until(lambda: running.status()["totals"]["closed"] == 1)
    assert "Traceback" not in running.stderr


@each_way
def test_a_client_that_goes_on_in_the_clear_is_closed(pool: Pools, way: str) -> None:
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls\n", b"hello\ngo\n")
        client.sendall(b"still in the clear\n")
        while client.recv(1000):  # an alert
            pass
    wait_until(lambda: "layer" in reasons(running))
    wait_until(lambda: layer_failures(running) == 1)
    wait_until(lambda: "handshake_failed" in running.stderr)
    assert "Traceback" not in running.stderr


@each_way
def test_a_client_that_leaves_in_the_handshake_is_closed(pool: Pools, way: str) -> None:
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls\n", b"hello\ngo\n")
        client.sendall(b"\x16\x03\x01")
    wait_until(lambda: reasons(running).endswith("\n"))
    wait_until(lambda: layer_failures(running) == 1)
    assert "Traceback" not in running.stderr


@each_way
def test_a_client_that_does_not_trust_the_certificate_is_closed(pool: Pools, way: str) -> None:
    running = start(pool, way)
    with running.connect() as client:
        ask(client, b"starttls\n", b"hello\ngo\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            client_context("theirs").wrap_socket(client, server_hostname="localhost")
    wait_until(lambda: running.status()["totals"]["closed"] == 1)


@pytest.mark.parametrize("way", ["coroutine"])
def test_a_stalled_handshake_is_closed_by_its_deadline(pool: Pools, way: str) -> None:
    running = start(pool, way)
    with running.connect() as client, running.connect() as other:
        client.settimeout(None)
        ask(client, b"starttls\n", b"hello\ngo\n")
        client.sendall(b"\x16\x03")
        ask(other, b"one\n", b"hello\n<one>\n")
        assert client.recv(10) == b""
        wait_until(lambda: "timeout" in reasons(running))
        ask(other, b"two\n", b"<two>\n")
    wait_until(lambda: layer_failures(running) == 1)


@each_way
def test_a_reload_closes_what_is_idle_in_secret(pool: Pools, way: str) -> None:
    running = start(pool, way)
    before = running.workers()
    with running.connect() as client:
        ask(client, b"starttls\n", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"one\n", b"<one>\n")
            reload_by_signal(running)
            assert secured.recv(10) == b"", "closed, and by TLS's own end"
    wait_until(lambda: not set(before) & set(running.workers()))


def test_connections_move_and_outlive_a_crash_until_they_are_secret(pool: Pools) -> None:
    running = start(pool, "callbacks", more="keep_on_crash = true")
    with running.connect() as plain, running.connect() as client:
        ask(plain, b"one\n", b"hello\n<one>\n")
        ask(client, b"starttls\n", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"one\n", b"<one>\n")
            os.kill(running.workers()[0], signal.SIGKILL)
            try:
                assert secured.recv(10) == b""
            except ConnectionResetError:
                pass  # closed, in either case, and not served in the clear
        ask(plain, b"two\n", b"<two>\n")
    with running.connect() as plain, running.connect() as client:
        ask(plain, b"one\n", b"hello\n<one>\n")
        ask(client, b"starttls\n", b"hello\ngo\n")
        with secure(client) as secured:
            ask(secured, b"one\n", b"<one>\n")
            reload_by_signal(running)
            assert secured.recv(10) == b""
        ask(plain, b"two\n", b"<two>\n")
    assert running.status()["totals"]["survived"] == 1


def test_the_example_of_the_documentation(pool: Pools) -> None:
    text = (Path(__file__).parents[3] / "docs" / "protocols.md").read_text()
    (notes,) = (block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "start_tls" in block)
    files = {
        **metadata("starttls", "[corepool.protocols]\nnotes = notes:Notes\n"),
        "notes.py": notes,
        "server.crt": pair().certificate.decode(),
        "server.key": pair().key.decode(),
    }
    running = pool(TOML.format(way="notes", workers=2, more="", bind="tcp://127.0.0.1:0"), files=files)
    with running.connect() as client:
        ask(client, b"mine\n", b"STARTTLS first\n")
        ask(client, b"STARTTLS\n", b"ready\n")
        with client_context().wrap_socket(client, server_hostname="localhost") as secured:
            ask(secured, b"mine\n", b"noted mine\n")
