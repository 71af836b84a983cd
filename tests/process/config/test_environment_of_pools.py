"""Pools that are started with settings in their environment."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from operated import corepool

from corepool.cli.resolve import Served, draft_of_flags
from corepool.config.load import Overrides
from corepool.errors import ConfigError
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


@pytest.mark.parametrize("port", ["abc", "65536", "-1", "tcp://10.0.0.1:80", "80/x"])
def test_a_mistake_in_the_port_of_the_platform_names_it(port: str) -> None:
    overrides = Overrides(workers="none", environment={"PORT": port})

    with pytest.raises(ConfigError) as refused:
        draft_of_flags(Served("echo", (), 7, None, {}, {}, {}), overrides).finish()

    assert refused.value.mistakes[0] == f'PORT = "{port}": expected a number from 0 to 65535'
    assert refused.value.mistakes[1].startswith("--workers")


def test_the_port_is_read_again_at_each_reload() -> None:
    environment = {"PORT": "8001"}
    served, overrides = Served("echo", (), 7, None, {}, {}, {}), Overrides(environment=environment)

    def urls() -> tuple[str, ...]:
        return tuple(draft_of_flags(served, overrides).finish().listener[0].bind)

    assert urls() == ("tcp://0.0.0.0:8001",)
    environment["PORT"] = "8002"
    assert urls() == ("tcp://0.0.0.0:8002",)
    del environment["PORT"]
    assert urls() == ("tcp://127.0.0.1:7",)


def test_a_reload_follows_the_port_in_the_file_of_variables(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("PORT=0\n")
    with PoolProcess.serve("echo", "--env-file", str(file)) as running:
        before = running.urls()
        assert before[0].startswith("tcp://0.0.0.0:")
        file.write_text("PORT=70000\n")
        said = corepool(running, "reload")
        assert said.returncode != 0
        assert 'PORT = "70000": expected a number' in said.stderr + said.stdout
        assert running.urls() == before
        running.stop()
