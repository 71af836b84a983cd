"""Listeners that name one store share it: in every worker, over a crash and a reload, opened once and swept once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from kv_client import Client

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

    Connect = Callable[[PoolProcess, str], Client]

HEAD = """
[[pool]]
name = "main"
workers = {workers}
dispatcher = "round-robin"
respawn_delay = "1ms"
respawn_delay_max = "1ms"
"""

LISTENER = """
[[listener]]
name = "{name}"
bind = ["{bind}"]
protocol = "kv"
pool = "{pool}"
[listener.options]
{options}
"""


def two_listeners(
    workers: int = 1, tcp: str = "", unix: str = "", pools: tuple[str, str] = ("main", "main"), head: str = HEAD
) -> str:
    """Return the configuration of a tcp and a unix listener, each with options of its own."""
    first = LISTENER.format(name="tcp", bind="tcp://127.0.0.1:0", options=tcp, pool=pools[0])
    second = LISTENER.format(name="unix", bind=f"unix:@corepool-test-kv-{uuid4()}", options=unix, pool=pools[1])
    return head.format(workers=workers) + first + second


@pytest.fixture
def client() -> Iterator[Connect]:
    """Connect clients to a listener of a pool; they are closed at the end."""
    made: list[Client] = []

    def make(running: PoolProcess, listener: str) -> Client:
        (url,) = running.urls(listener)
        made.append(Client(connect(url)))
        return made[-1]

    yield make
    for each in made:
        each.sock.close()


def check(folder: Path, toml: str) -> subprocess.CompletedProcess[str]:
    (folder / "corepool.toml").write_text(toml)
    command = [sys.executable, "-m", "corepool", "check"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("durability", ["always", "everysec"])
def test_a_key_set_by_one_listener_is_read_by_the_other(
    pool: Pools, client: Connect, workers: int, durability: str
) -> None:
    options = f'store = "lmdb:data"\ndurability = "{durability}"'
    running = pool(two_listeners(workers, options, options))
    clients = [client(running, name) for _ in range(workers) for name in ("tcp", "unix")]
    for number, writer in enumerate(clients):
        assert writer("SET", "key", number) == b"OK"
        assert [reader("GET", "key") for reader in clients] == [b"%d" % number] * len(clients)
        assert writer("INCR", "sum") == number + 1


@pytest.mark.parametrize("workers", [1, 4])
def test_shared_data_outlive_a_crash_and_a_reload(pool: Pools, client: Connect, workers: int) -> None:
    options = 'store = "lmdb:data"'
    running = pool(two_listeners(workers, options, options))
    assert client(running, "tcp")("SET", "a", "1") == b"OK"
    before = set(running.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(now := running.workers()) == workers and not before & set(now), what="all replaced")
    assert client(running, "unix")("GET", "a") == b"1"
    assert client(running, "unix")("SET", "b", "2") == b"OK"
    before = set(running.workers())
    assert running.request("reload")["ok"]
    wait_until(lambda: not before & set(running.workers()), what="a new generation alone")
    assert client(running, "tcp")("MGET", "a", "b") == [b"1", b"2"]
    assert client(running, "unix")("INCR", "b") == 3


def test_one_folder_in_two_spellings_is_one_store(pool: Pools, client: Connect, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    first, second = f'store = "lmdb:{tmp_path}/real"', f'store = "lmdb:{tmp_path}/./link"'
    (tmp_path / "real").mkdir()
    running = pool(two_listeners(2, first, second))
    assert client(running, "tcp")("SET", "a", "1") == b"OK"
    assert [client(running, "unix")("GET", "a") for _ in range(2)] == [b"1", b"1"]


def test_listeners_with_limits_of_their_own_share_a_store(pool: Pools, client: Connect) -> None:
    running = pool(two_listeners(1, 'store = "lmdb:data"\nmax_request = 2000', 'store = "lmdb:data"'))
    small, large = client(running, "tcp"), client(running, "unix")
    assert small("SET", "a", "x" * 1500) == b"OK"
    assert large("APPEND", "a", "x" * 1500) == 3000
    assert "maximum allowed size" in str(small("APPEND", "a", "x"))
    assert large("STRLEN", "a") == 3000


def test_expired_keys_are_removed_once_and_counted_by_each_listener(pool: Pools, client: Connect) -> None:
    options = 'store = "lmdb:data"'
    running = pool(two_listeners(1, options, options))
    first, second = client(running, "tcp"), client(running, "unix")
    for number in range(300):
        first("SET", number, "x", "PX", 1)
    wait_until(lambda: first("DBSIZE") == 0, what="expired keys removed")
    assert expired_keys(first) == expired_keys(second) == 300

    assert first("CONFIG", "RESETSTAT") == b"OK"
    assert expired_keys(first) == expired_keys(second) == 0
    second("SET", "another", "x", "PX", 1)
    wait_until(lambda: expired_keys(second) == 1, what="another key removed")
    assert expired_keys(first) == 1


def expired_keys(client: Client) -> int:
    (line,) = [each for each in client("INFO", "stats").decode().splitlines() if each.startswith("expired_keys:")]
    return int(line.partition(":")[2])


def test_memory_is_of_one_listener_unless_it_has_a_name(pool: Pools, client: Connect) -> None:
    running = pool(two_listeners(1, 'store = "memory:"', 'store = "memory:"'))
    assert client(running, "tcp")("SET", "a", "1") == b"OK"
    assert client(running, "unix")("GET", "a") is None
    named = pool(two_listeners(1, 'store = "memory:sessions"', 'store = "memory:sessions"'))
    assert client(named, "tcp")("SET", "a", "1") == b"OK"
    assert client(named, "unix")("GET", "a") == b"1"


def test_temporary_stores_are_each_listeners_own(pool: Pools, client: Connect) -> None:
    running = pool(two_listeners(1))
    assert client(running, "tcp")("SET", "a", "1") == b"OK"
    assert client(running, "unix")("GET", "a") is None


@pytest.mark.parametrize(
    ("option", "here", "there"),
    [
        ('durability = "always"', '"always"', '"everysec"'),
        ("max_bytes = 2000000", "2000000", "1099511627776"),
    ],
)
def test_listeners_that_contradict_each_other_are_a_mistake(tmp_path: Path, option: str, here: str, there: str) -> None:
    done = check(tmp_path, two_listeners(4, 'store = "lmdb:data"', f'store = "lmdb:data"\n{option}'))

    assert done.returncode == 2
    (mistake,) = done.stderr.splitlines()[1:]
    assert mistake == (
        "corepool.toml:17: listener[1]: listener 'unix' shares the store 'lmdb:data' with listener 'tcp' "
        "(listener[0]), "
        f"and they contradict each other: {option.partition(' ')[0]} = {here} here, {there} there"
    )


def test_a_contradiction_is_found_in_other_spellings_and_in_other_pools(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "data").mkdir()
    head = '[[pool]]\nname = "main"\nworkers = {workers}\n[[pool]]\nname = "other"\nworkers = 1\n'
    options = 'store = "lmdb:data"', 'store = "lmdb:./link"\ndurability = "never"'
    done = check(tmp_path, two_listeners(1, *options, pools=("main", "other"), head=head))

    assert done.returncode == 2
    assert (
        "shares the store 'lmdb:./link' with listener 'tcp' (listener[0]), where it is called the store" in done.stderr
    )


def test_memory_is_not_shared_by_pools(tmp_path: Path) -> None:
    head = '[[pool]]\nname = "main"\nworkers = {workers}\n[[pool]]\nname = "other"\nworkers = 1\n'
    options = 'store = "memory:x"'
    done = check(tmp_path, two_listeners(1, options, options, pools=("main", "other"), head=head))

    assert done.returncode == 2
    assert "which is of another pool: workers of several pools can't share it" in done.stderr


def test_listeners_that_agree_are_no_mistake(tmp_path: Path) -> None:
    options = 'store = "lmdb:data"\ndurability = "never"'
    done = check(tmp_path, two_listeners(4, options, options))

    assert done.returncode == 0, done.stderr
