"""The fixtures are there wherever corepool is installed, and cost nothing to tests that do not use them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sources import source

if TYPE_CHECKING:
    from pathlib import Path

USES = """
import socket

def test_a_real_pool(pool):
    with pool.serve("echo", "-b", "tcp://127.0.0.1:0", "-w", "1").connect() as client:
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"

def test_a_protocol_in_memory(connection):
    from corepool_echo import Echo

    client = connection(Echo())
    client.send(b"hello")
    assert client.receive() == b"hello"
"""

USES_NOTHING = """
import sys

def test_nothing():
    assert "corepool_pytest" in sys.modules
    assert [name for name in ("corepool", "pydantic", "asyncio") if name in sys.modules] == []
"""

REFUSED = """
def test_it(pool):
    pool("[pool]", wait=False).wait()
"""

# Plugins that fail their suites, or a test, and how many tests that are: each in a way that could leave something open.
WRONG = {
    "a protocol with another reply": (
        """
from corepool.testing.protocol import ProtocolContract

class TestWrong(ProtocolContract):
    serve_arguments = ("echo",)
    request = b"hello"
    reply = b"HELLO"
""",
        "9 failed, 1 skipped",
    ),
    "a protocol that hangs up": (
        """
from corepool.testing.protocol import ProtocolContract

class TestWrong(ProtocolContract):
    serve_arguments = ("kv",)
    request = b"QUIT\\r\\n"
    reply = b"never"
""",
        "9 failed, 1 passed",
    ),
    "an extension that lets fewer clients in": (
        """
from corepool.testing.extension import ExtensionContract

class TestWrong(ExtensionContract):
    name = "limits"
    options = {"per_peer": 1}
""",
        "5 failed, 2 passed",
    ),
    "a transport that closes nothing": (
        """
from corepool import Endpoint
from corepool.testing.transport import TransportContract
from corepool_tcp import Tcp

class Wrong(Tcp):
    def close(self, endpoint, listening):
        pass

class TestWrong(TransportContract):
    def make(self):
        return Wrong()

    def endpoint(self, folder):
        return Endpoint.parse("tcp://127.0.0.1:0")
""",
        "1 failed, 12 passed",
    ),
    "a transport whose layers refuse every byte": (
        source("programs/layers_that_break.py"),
        "4 failed, 9 passed",
    ),
    "plugins that can't start or stop": (
        source("programs/plugins_that_fail.py"),
        "1 failed, 1 passed, 1 error",
    ),
}


GATE = """
from corepool import hookimpl

class Gate:
    held = 0

    @hookimpl
    def on_accept(self, conn):
        self.held += 1
        if not 0 < self.held <= 2:
            conn.abort()

    @hookimpl
    def on_close(self, conn, reason):
        {close}
"""
MOVING = """
    @hookimpl
    def on_freeze(self, conn):
        {freeze}

    @hookimpl
    def on_thaw(self, conn, state):
        {thaw}
"""
TESTS_OF_GATE = """
from corepool.testing.extension import ExtensionContract

class TestGate(ExtensionContract):
    name = "gate"
    clients = 2
"""

# Extensions of a listener with room for two, and what the contract's test of moving says of each.
MOVES = {
    "it lets go and takes over": ("return b''", "self.held += 1", "self.held -= 1", "1 passed"),
    "on_freeze forgets to return": ("pass", "self.held += 1", "self.held -= 1", "1 failed"),
    "it does not count who moved here": ("return b''", "pass", "self.held -= 1", "1 failed"),
    "it does not count who moves away": (
        "return b''",
        "self.held += 1",
        "self.held -= reason != 'moved'",
        "1 failed",
    ),
    "it has no on_freeze": (None, None, "self.held -= 1", "1 skipped"),
}


def run_pytest(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_authors_own.py").write_text(source)
    # Without the plugins that this environment has besides: they would import what ours must not.
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder)]
    ours = [
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "-p",
        "no:anyio",
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(  # noqa: S603 - our own words
        [*command, *ours, *options, "test_authors_own.py"], cwd=folder, check=False, capture_output=True, text=True
    )


def test_the_fixtures_need_no_more_than_the_installation(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, USES)

    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_corepool_is_imported_before_a_test_asks(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, USES_NOTHING)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pool_that_does_not_end_as_expected_fails_its_test(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, REFUSED)

    assert done.returncode == 1
    assert "exit status 2, expected 0" in done.stdout


@pytest.mark.parametrize("wrong", WRONG)
def test_a_plugin_that_fails_leaves_nothing_open(tmp_path: Path, wrong: str) -> None:
    """With warnings as errors, pytest would report sockets instead of failures, or end in the middle of its report."""
    source, failures = WRONG[wrong]

    done = run_pytest(tmp_path, source, "-W", "error", "--tb=no")

    assert done.stdout.splitlines()[-1].startswith(f"{failures} in "), done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", MOVES)
def test_the_contract_of_extensions_finds_out_who_can_not_be_moved(tmp_path: Path, how: str) -> None:
    freeze, thaw, close, outcome = MOVES[how]
    moves = MOVING.format(freeze=freeze, thaw=thaw) if freeze else ""
    (tmp_path / "gate.py").write_text(GATE.format(close=close) + moves)
    (tmp_path / "gate-1.dist-info").mkdir()
    (tmp_path / "gate-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: gate\nVersion: 1\n")
    (tmp_path / "gate-1.dist-info" / "entry_points.txt").write_text("[corepool.extensions]\ngate = gate:Gate\n")

    done = run_pytest(tmp_path, TESTS_OF_GATE, "-k", "moved_here")

    assert done.stdout.splitlines()[-1].startswith(f"{outcome}, 6 deselected in "), done.stdout


def test_the_fixtures_are_described_by_pytest(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "", "--fixtures")

    assert "Start real pools" in done.stdout
    assert "Drive a protocol in this process" in done.stdout


def test_a_running_pool_imports_no_pytest() -> None:
    source = (
        "import sys, corepool.cli.app, corepool.launch.pool, corepool.streams, corepool_echo\n"
        "corepool.cli.app.make_app()\n"
        "assert not [name for name in sys.modules if 'pytest' in name or name.startswith('corepool.testing')]\n"
    )

    done = subprocess.run([sys.executable, "-c", source], check=False, capture_output=True, text=True)  # noqa: S603

    assert done.returncode == 0, done.stderr
