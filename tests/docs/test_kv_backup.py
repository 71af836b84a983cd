"""The page on backups: a copy that is made while clients write is a whole store of one moment."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import redis
from documents import DOCS, blocks

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

COPIES = 3


def client_of(running: PoolProcess) -> redis.Redis:
    return redis.Redis.from_url(running.urls()[0].replace("tcp://", "redis://"))


def toml(store: Path) -> str:
    return f"""
[pool]
workers = 2
[[listener]]
name = "kv"
bind = "tcp://127.0.0.1:0"
protocol = "kv"
options = {{ store = "lmdb:{store}" }}
"""


def kv(folder: Path, name: str, file: str, store: str) -> None:
    command = [sys.executable, "-m", "corepool", "kv", name, file, "--store", f"lmdb:./{store}"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603 - of the page


def test_a_copy_under_writes_has_what_was_acknowledged_and_no_half_of_a_transaction(
    pool: Pools, tmp_path: Path
) -> None:
    consoles = "".join(block.text for block in blocks(DOCS / "howto" / "kv-backup.md") if block.language == "console")
    assert "corepool kv dump backup.kv --store lmdb:./data\n" in consoles
    assert "corepool kv restore backup.kv --store lmdb:./restored\n" in consoles
    running = pool(toml(tmp_path / "data"))
    acknowledged = 0
    is_over = threading.Event()

    def write() -> None:
        nonlocal acknowledged
        with client_of(running) as client:
            while not is_over.is_set():
                following = acknowledged + 1
                client.mset({"one": following, "other": following, f"filler-{following % 5000}": "x" * 500})
                acknowledged = following

    writer = threading.Thread(target=write)
    writer.start()
    before = []
    try:
        for number in range(COPIES):
            begin = acknowledged
            wait_until(lambda: acknowledged > begin, what="the client writes")  # noqa: B023 - called at once
            before.append(acknowledged)
            kv(tmp_path, "dump", f"backup-{number}.kv", "data")
    finally:
        is_over.set()
        writer.join()

    for number, at_least in enumerate(before):
        kv(tmp_path, "restore", f"backup-{number}.kv", f"restored-{number}")
        with client_of(pool(toml(tmp_path / f"restored-{number}"))) as client:
            one, other = (int(value) for value in client.mget("one", "other"))
        assert one == other >= at_least
