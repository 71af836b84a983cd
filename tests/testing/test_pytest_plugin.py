"""The fixtures are there for whoever has corepool, and cost nothing to whoever does not use them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

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


def test_the_fixtures_are_described_by_pytest(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "", "--fixtures")

    assert "Start real pools" in done.stdout
    assert "Drive a protocol in this process" in done.stdout


def test_a_running_pool_imports_no_pytest() -> None:
    source = (
        "import sys, corepool.cli.app, corepool.pool, corepool.streams, corepool_echo\n"
        "corepool.cli.app.make_app()\n"
        "assert not [name for name in sys.modules if 'pytest' in name or name.startswith('corepool.testing')]\n"
    )

    done = subprocess.run([sys.executable, "-c", source], check=False, capture_output=True, text=True)  # noqa: S603

    assert done.returncode == 0, done.stderr
