"""`corepool config`: each setting, and where it comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Corepool

ECHO = """
[pool]
max_connections = 5
[[listener]]
name = "echo"
bind = ["tcp://127.0.0.1:0"]
protocol = "echo"
"""


def test_config_tells_where_each_setting_comes_from(
    corepool: Corepool, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "corepool.toml").write_text(ECHO)
    environment["COREPOOL_POOL_WORKERS"] = "4"
    lines = corepool("config").stdout.splitlines()
    assert "pool.workers = 4  # the environment: COREPOOL_POOL_WORKERS" in lines
    assert "pool.max_connections = 5  # corepool.toml" in lines
    assert 'pool.drain_timeout = "30s"  # default' in lines
    assert "process.user = unset  # default" in lines
    assert 'listener[0].protocol = "echo"  # corepool.toml' in lines
    told = json.loads(corepool("config", "--json").stdout)
    assert told["pool.workers"] == {"value": 4, "origin": "the environment: COREPOOL_POOL_WORKERS"}
