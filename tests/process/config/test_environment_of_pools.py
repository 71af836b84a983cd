"""Pools that are started with settings in their environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

ECHO = """
[pool]
max_connections = 5
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


def test_serve_tells_mistakes_in_the_environment_too() -> None:
    environment = {"COREPOOL_WORKERS": "4"}
    with PoolProcess.serve("echo", "-b", "tcp://127.0.0.1:0", environment=environment, wait=False) as refused:
        assert refused.wait() == 2
        assert "COREPOOL_WORKERS: unknown key (did you mean 'COREPOOL_POOL_WORKERS'?)" in refused.stderr


def test_an_empty_variable_for_the_control_socket_is_a_mistake_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "corepool", "status"]
    surroundings = os.environ | {"COREPOOL_CONTROL_SOCKET": ""}
    done = subprocess.run(  # noqa: S603
        command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert 'COREPOOL_CONTROL_SOCKET = ""' in done.stderr


def test_a_pool_obeys_its_environment(pool: Pools) -> None:
    running = pool(ECHO, environment={"COREPOOL_POOL_WORKERS": "3", "WEB_CONCURRENCY": "1"})
    assert len(running.workers()) == 3


def test_serve_listens_where_the_platform_says() -> None:
    environment = {"PORT": "0", "WEB_CONCURRENCY": "1"}
    with PoolProcess.serve("echo", environment=environment) as running:
        assert running.urls()[0].startswith("tcp://0.0.0.0:")
        assert len(running.workers()) == 1
        running.stop()
