"""`corepool kv dump`, `restore` and `import`: what they do, and in which words they refuse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import lmdb
import pytest
from kv_client import Client, kv_toml
from running_redis import running_redis

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

COREPOOL = [sys.executable, "-m", "corepool"]


def kv(folder: Path, *words: str) -> tuple[int, str]:
    """Run `corepool kv`; return its status and all that it has said."""
    done = subprocess.run([*COREPOOL, "kv", *words], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def serving(pool: Pools, tmp_path: Path) -> PoolProcess:
    """A pool on the folder `data`, with some keys."""
    running = pool(kv_toml(workers=2, store=f"lmdb:{tmp_path}/data"))
    with connect(running.urls()[0]) as sock:
        client = Client(sock)
        client("SET", "a", "1", "EX", 1000)
        client("RPUSH", "list", *range(200))
        client("SELECT", 3)
        client("SET", "b", "x" * 100_000)
    return running


@pytest.mark.usefixtures("serving")
def test_a_dump_is_restored_with_everything_in_it(pool: Pools, tmp_path: Path) -> None:
    status, said = kv(tmp_path, "dump", "copy", "--store", "lmdb:data")
    assert (status, said) == (0, f"copy: {(tmp_path / 'copy').stat().st_size} bytes\n")
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert kv(tmp_path, "restore", "copy", "--store", "lmdb:new/folder")[0] == 0
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(".")) == []
    running = pool(kv_toml(workers=2, store=f"lmdb:{tmp_path}/new/folder"))
    with connect(running.urls()[0]) as sock:
        client = Client(sock)
        assert client("GET", "a") == b"1"
        assert 900 < client("TTL", "a") <= 1000
        assert client("LRANGE", "list", 0, -1) == [b"%d" % number for number in range(200)]
        assert client("RPUSH", "list", "more") == 201
        client("SELECT", 3)
        assert client("STRLEN", "b") == 100_000


def test_refusals_of_dump(serving: PoolProcess, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    for file, store, words in (
        ("there", "lmdb:data", "there exists: a dump is a new file"),
        ("link", "lmdb:data", "link exists: a dump is a new file"),
        ("no/folder", "lmdb:data", "no/folder can't be written: No such file or directory"),
        ("new", "lmdb:nothing", "store lmdb:nothing can't be read: No such file or directory"),
        ("new", "lmdb:empty", "store lmdb:empty can't be read: No such file or directory"),
        ("new", "lmdb:", "--store lmdb: is a temporary store"),
        ("new", "memory:x", "it is in the memory of a worker"),
        ("new", "redis://:secret@127.0.0.1:1", "such a store is copied by the tools of its servers"),
        ("new", "data", "expected lmdb:PATH"),
    ):
        status, said = kv(tmp_path, "dump", file, "--store", store)
        assert (status, words in said, "secret" in said) == (1, True, False), said
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "new").exists()
    assert serving.workers()


def test_refusals_of_restore(serving: PoolProcess, tmp_path: Path) -> None:
    assert kv(tmp_path, "dump", "copy", "--store", "lmdb:data")[0] == 0
    whole = (tmp_path / "copy").read_bytes()
    (tmp_path / "part").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text").write_text("no dump" * 10_000)
    with (
        closing(lmdb.open(str(tmp_path / "old"), subdir=False, lock=False, max_dbs=1)) as env,
        env.begin(write=True) as txn,
    ):
        txn.put(b"format", b"corepool kv 1")
    for file, words in (
        ("nothing", "nothing can't be read: No such file or directory"),
        ("text", "text is no dump of a store"),
        ("part", "part is a part of a dump: it has "),
        ("old", "old has format 1, this corepool reads 2: docs/kv.md (A store of another format)"),
        ("copy", "store lmdb:data is in use: stop the pool that serves it first"),
    ):
        status, said = kv(tmp_path, "restore", file, "--store", "lmdb:data", "--replace")
        assert (status, words in said) == (1, True), said
    with connect(serving.urls()[0]) as sock:
        assert Client(sock)("SET", "a", "2") == b"OK"
    serving.stop()
    status, said = kv(tmp_path, "restore", "copy", "--store", "lmdb:data")
    assert (status, "store lmdb:data has data: choose another folder, or say --replace" in said) == (1, True), said
    assert kv(tmp_path, "restore", "copy", "--store", "lmdb:data", "--replace")[0] == 0
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == ["data.mdb", "lock.mdb"]


def test_a_dump_that_is_killed_leaves_no_file_of_that_name(serving: PoolProcess, tmp_path: Path) -> None:
    with connect(serving.urls()[0]) as sock:
        client = Client(sock)
        for number in range(20):
            assert client("SET", number, os.urandom(1 << 20)) == b"OK"
    command = [*COREPOOL, "kv", "dump", "copy", "--store", "lmdb:data"]
    while True:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)  # noqa: S603
        wait_until(lambda: any(tmp_path.glob(".copy.*.part")) or process.poll() is not None, what="a part")  # noqa: B023
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            break
        (tmp_path / "copy").unlink()  # it was faster
    if not any(tmp_path.glob(".copy.*.part")):
        assert (tmp_path / "copy").stat().st_size > 20 << 20, "it was complete"
        return
    assert not (tmp_path / "copy").exists()
    assert kv(tmp_path, "dump", "copy", "--store", "lmdb:data")[0] == 0


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A real redis-server with a key of each type."""
    with running_redis(tmp_path) as path:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            client = Client(sock)
            client("SET", "text", "x" * 3_000_000)
            client("SET", "number", 7, "EX", 1000)
            client("RPUSH", "list", *range(1000))
            client("SADD", "set", *range(100))
            client("HSET", "hash", "field", "value")
            client("ZADD", "sorted", "1.5", "member")
            client("SELECT", 5)
            for number in range(300):
                client("SET", number, number)
        yield f"unix://{path}"


def test_import_from_redis_while_the_store_is_served(serving: PoolProcess, redis_url: str, tmp_path: Path) -> None:
    with connect(serving.urls()[0]) as sock:
        client = Client(sock)
        client("SET", "number", "mine")
        status, said = kv(tmp_path, "import", "--from", redis_url, "--store", "lmdb:data")
        assert (status, said) == (0, "lmdb:data: 304 keys copied, 2 kept, 0 not copied\n")
        assert client("GET", "number") == b"mine"
        assert client("STRLEN", "text") == 3_000_000
        assert client("LLEN", "list") == 200, "the list of that name is kept"
        assert client("SMEMBERS", "set") is not None
        assert client("HGETALL", "hash") == [b"field", b"value"]
        assert client("ZRANGE", "sorted", 0, -1, "WITHSCORES") == [b"member", b"1.5"]
        client("SELECT", 5)
        assert client("DBSIZE") == 300
        status, said = kv(tmp_path, "import", "--from", redis_url, "--store", "lmdb:data", "--replace")
        assert (status, said) == (0, "lmdb:data: 306 keys copied, 0 kept, 0 not copied\n")
        client("SELECT", 0)
        assert 900 < client("TTL", "number") <= 1000


def test_refusals_of_import(serving: PoolProcess, tmp_path: Path) -> None:
    for url, words in (
        ("http://127.0.0.1", "--from: expected redis://HOST:PORT"),
        (f"unix://{tmp_path}/nothing", "the server can't be asked"),
    ):
        status, said = kv(tmp_path, "import", "--from", url, "--store", "lmdb:data")
        assert (status, words in said) == (1, True), said
    assert serving.workers()
