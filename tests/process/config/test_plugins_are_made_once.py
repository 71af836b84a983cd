"""A plugin is made once for each reading of the configuration: the effect of its constructor does not come twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from operated import corepool
from sources import metadata, source

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

CONFIG = """
[pool]
workers = 1
[[listener]]
bind = "tcp://127.0.0.1:0"
protocol = "spoken"
extensions = "./counts_makings.py:Heard"
"""
OTHER = """
[[listener]]
name = "other"
bind = "tcp://127.0.0.1:0"
protocol = "spoken"
"""


def test_a_start_makes_each_plugin_once_and_so_does_a_reload(pool: Pools) -> None:
    files = {
        "counts_makings.py": source("plugins/counts_makings.py"),
        **metadata("counts_makings", "[corepool.protocols]\nspoken = counts_makings:Spoken\n"),
    }
    running = pool(CONFIG, files=files, environment={"MAKINGS": "makings"})
    makings = running.directory / "makings"

    assert sorted(makings.read_text().split()) == ["extension", "protocol"]

    makings.unlink()
    (running.directory / "corepool.toml").write_text(CONFIG + OTHER)
    assert corepool(running, "reload").returncode == 0

    assert sorted(makings.read_text().split()) == ["extension", "protocol", "protocol"]
