"""Queues of jobs on a pool of two workers: RQ, and BullMQ with its workers in Node.js."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from kv_client import kv_toml
from sources import source

from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

DEADLINE_S = 300
NODE = Path(__file__).parents[1] / "support" / "node"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with PoolProcess.run(kv_toml(workers=2)) as running:
        yield running.urls()[0].replace("tcp://", "redis://")


@contextmanager
def workers(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run two workers of RQ, of which one has the scheduler."""
    command = [sys.executable, "-m", "rq.cli", "worker", "-u", environment["KV"], "--logging_level", "WARNING", "jobs"]
    running = [
        subprocess.Popen([*command, *more], cwd=folder, env=environment)  # noqa: S603
        for more in (["--with-scheduler"], [])
    ]
    try:
        yield
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.wait()


def test_jobs_of_rq(url: str, tmp_path: Path) -> None:
    environment = os.environ | {"KV": url}
    (tmp_path / "rq_jobs.py").write_text(source("served/rq_jobs.py"))
    program = "import rq_jobs; rq_jobs.main()"  # jobs are known by the name of their module
    with workers(tmp_path, environment):
        command = [sys.executable, "-c", program]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=DEADLINE_S + 60)  # noqa: S603


@pytest.fixture(scope="session")
def bullmq(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with BullMQ and the program."""
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(NODE, folder, dirs_exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
    subprocess.run(command, cwd=folder, check=True, timeout=DEADLINE_S)  # noqa: S603
    return folder


def test_jobs_of_bullmq(url: str, bullmq: Path) -> None:
    place = urlsplit(url)
    command = ["node", "queues.js", str(place.hostname), str(place.port)]
    done = subprocess.run(command, cwd=bullmq, check=True, timeout=DEADLINE_S, stdout=subprocess.PIPE)  # noqa: S603
    assert done.stdout == b"done\n"
