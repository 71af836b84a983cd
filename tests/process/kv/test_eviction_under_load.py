"""A bounded store under the load of four workers: the file keeps to its bound, and no write is lost in an error."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kv_client import Client, kv_toml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

MIB = 1 << 20
CLIENTS, WRITES = 8, 60
SIZES = (50, 5000, 300_000, 1_000_000)


def write(client: Client, name: str) -> list[object]:
    """Write values of all sizes, each of which is read at once; return the replies that are not as they should be."""
    odd: list[object] = []
    for number in range(WRITES):
        size = random.choice(SIZES)  # noqa: S311
        client.send_all([("SET", f"{name}-{number}", "x" * size), ("GET", "hot"), ("SET", "hot", name)])
        replies = [client.receive() for _ in range(3)]
        odd += [reply for reply in (replies[0], replies[2]) if reply != b"OK"]
    return odd


def test_four_workers_keep_to_the_bound(pool: Pools, clients: Callable[[PoolProcess], Client], tmp_path: Path) -> None:
    running = pool(kv_toml(4, store=f"lmdb:{tmp_path}/data", max_bytes=32 * MIB, eviction="allkeys-lru"))
    group = [clients(running) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as executor:
        odd = list(executor.map(write, group, map(str, range(CLIENTS))))

    assert [reply for each in odd for reply in each] == []
    assert (tmp_path / "data" / "data.mdb").stat().st_size <= 32 * MIB
    client = group[0]
    assert client("EXISTS", "hot") == 1
    info = dict(line.split(":", 1) for line in client("INFO").decode().splitlines() if ":" in line)
    assert 10 * MIB < int(info["used_memory"]) <= int(info["maxmemory"]) == 32 * MIB
    assert info["maxmemory_policy"] == "allkeys-lru"
    assert "bounds it" in str(client("CONFIG", "SET", "maxmemory", "1gb"))
    assert client("CONFIG", "SET", "maxmemory", "8mb", "maxmemory-policy", "noeviction") == b"OK"
    assert client("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"8388608"]
    client.send_all([("SET", "a", "1"), ("DEL", "hot"), ("MULTI",), ("SET", "a", "1"), ("EXEC",)])
    replies = [client.receive() for _ in range(5)]
    assert str(replies[0]).startswith("OOM command not allowed")
    assert replies[1] == 1
    assert str(replies[4]).startswith("EXECABORT Transaction discarded because of: OOM")
