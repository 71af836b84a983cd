"""Stores of another format: `check` and the start refuse them, and the script of docs/kv.md copies the keys of one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING
from zlib import crc32

import lmdb
import pytest
from documents import DOCS, blocks
from kv_client import Client, kv_toml

from corepool.testing.pool import PoolProcess

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools

HAS_OLD_FORMAT = "store lmdb:{} has the format before 1, without a mark: docs/kv.md (A store of another format)"


def write(folder: Path, table: str, entries: dict[bytes, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    with (
        closing(lmdb.open(str(folder), max_dbs=2)) as env,
        env.begin(write=True, db=env.open_db(table.encode())) as txn,
    ):
        for key, value in entries.items():
            txn.put(key, value)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as it was before 0.1.0."""
    write(tmp_path / "data", "data", {crc32(b"k").to_bytes(4) + b"k": bytes(16) + b"value"})
    return tmp_path / "data"


def test_check_and_the_start_refuse_a_store_of_another_format(tmp_path: Path, old: Path) -> None:
    sentence = HAS_OLD_FORMAT.format(old)
    toml = kv_toml(store=f"lmdb:{old}")
    (tmp_path / "corepool.toml").write_text(toml)
    command = [sys.executable, "-m", "corepool", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    assert done.returncode == 2
    assert f"listener[0].options: {sentence}" in done.stderr
    with PoolProcess.run(toml, wait=False) as refused:
        assert refused.wait() == 2
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_damaged_record_costs_its_commands_an_error(pool: Pools, tmp_path: Path) -> None:
    toml = kv_toml(workers=1, store=f"lmdb:{tmp_path}/data")
    with PoolProcess.run(toml) as first:
        with first.connect() as sock:
            assert Client(sock)("MSET", "a", "1", "b", "2") == b"OK"
        first.stop()
    write(tmp_path / "data", "data", {crc32(b"a").to_bytes(4) + b"a": b"bad"})
    running = pool(toml)
    pids = running.workers()
    with running.connect() as sock:
        client = Client(sock)
        client.send_all([("SET", "c", "3"), ("GET", "a"), ("INCR", "a"), ("GET", "b"), ("GET", "c")])
        replies = [client.receive() for _ in range(5)]
        assert [str(reply) for reply in replies[1:3]] == [
            "ERR the record of b'a' can't be read: it has 3 bytes; write or remove the key"
        ] * 2
        assert [replies[0], *replies[3:]] == [b"OK", b"2", b"3"]
        client.send_all([("MULTI",), ("SET", "c", "4"), ("APPEND", "a", "x"), ("EXEC",)])
        *_, executed = [client.receive() for _ in range(4)]
        assert executed[0] == b"OK"
        assert "can't be read" in str(executed[1])
        assert client("DEL", "a") == 1
        assert client("GET", "a") is None
        assert client("GET", "c") == b"4"
    assert running.workers() == pids


def test_the_script_of_the_page_copies_every_key(pool: Pools, tmp_path: Path) -> None:
    (script,) = [block.text for block in blocks(DOCS / "kv.md") if block.file == "copy_keys.py"]
    old, new = (pool(kv_toml(workers=1, store=f"lmdb:{tmp_path}/{name}")) for name in ("old", "new"))
    ports = [url.rpartition(":")[2] for each in (old, new) for url in each.urls()]
    with old.connect() as before, new.connect() as after:
        for number in range(500):
            Client(before)("SET", number, f"value {number}")
        Client(before)("SET", "leaves", "x", "EX", 1000)
        command = [sys.executable, "-c", script, *ports]
        subprocess.run(command, check=True)  # noqa: S603
        assert Client(after)("DBSIZE") == 501
        assert Client(after)("GET", 499) == b"value 499"
        assert 0 < Client(after)("TTL", "leaves") <= 1000
        assert Client(after)("TTL", 0) == -1
