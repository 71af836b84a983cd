"""Signals that arrive while a worker boots or ends: before each line that it runs. Real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from extension_client import plugin_files
from sources import source

from corepool.testing.sockets import receive_exactly

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

TOML = """
[pool]
workers = 1
[[listener]]
name = "it"
bind = ["tcp://127.0.0.1:0"]
protocol = "signalled"
"""
FILES = plugin_files("signalled", "Signalled", source("plugins/signalled.py"))


def test_a_worker_that_boots_gets_through_signals_that_mean_nothing_to_it(pool: Pools) -> None:
    running = pool(TOML, files={**FILES, "at-start": ""})

    with running.connect() as client:
        client.sendall(b"hello")
        assert receive_exactly(client, 5) == b"hello"
    assert "worker_died" not in running.stderr


def test_a_worker_that_ends_gets_through_every_signal(pool: Pools) -> None:
    running = pool(TOML, files=FILES)

    running.stop()

    assert "ignored" not in running.stderr
    assert 'cause=stopped status="exit status 0"' in running.stderr
    assert (running.directory / "ended").exists()
    assert not (running.directory / "told-of-signals").exists(), "plugins have stopped by then"


def test_a_master_whose_pool_has_stopped_gets_through_every_signal(pool: Pools) -> None:
    running = pool(TOML, files=FILES)

    running.stop()

    assert "ignored" not in running.stderr
