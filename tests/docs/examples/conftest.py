"""The examples, copied and installed as a stranger would, and started as their READMEs say."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Unpack

import pytest
from example_folders import PACKAGES, copy, files_of
from scratch import install, make_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from example_folders import Run, Start

    from corepool.testing.pool import PoolProcess, Surroundings
    from corepool.testing.pools import Pools


@pytest.fixture(scope="session")
def scratch_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the interpreter of an environment that has corepool and every example that is a package."""
    python = make_environment(tmp_path_factory.mktemp("scratch"))
    sources = tmp_path_factory.mktemp("sources")
    install(python, [copy(name, sources / name) for name in PACKAGES])
    return python


@pytest.fixture
def start(pool: Pools, scratch_python: str) -> Iterator[Start]:
    """Start `corepool run` in a copy of an example: `start("chat")`. Its ports are free ones, its sockets its own."""
    with tempfile.TemporaryDirectory(prefix="example-") as sockets:  # short: a socket's path has 107 bytes at most

        def start_example(name: str, *, traceback: bool = False, **surroundings: Unpack[Surroundings]) -> PoolProcess:
            files = {
                inside: path.read_text().replace("/tmp/", f"{sockets}/")  # noqa: S108
                for inside, path in files_of(name).items()
            }
            toml = re.sub(r"(tcp://127\.0\.0\.1):\d+", r"\1:0", files["corepool.toml"])
            surroundings["files"] = {**files, "corepool.toml": toml}
            surroundings["python"] = scratch_python if name in PACKAGES else sys.executable
            return pool(toml, traceback=traceback, **surroundings)

        yield start_example


@pytest.fixture
def run(tmp_path: Path, scratch_python: str) -> Run:
    """Run `python ...` in a copy of an example, with what it needs: `run("chat", "-m", "corepool", "check")`."""

    def run_in_example(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        folder = copy(name, tmp_path / name)
        command = [scratch_python, *arguments]
        return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=300)  # noqa: S603

    return run_in_example
