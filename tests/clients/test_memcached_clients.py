"""The clients that people have for memcached: pymemcache, pylibmc, and Django's caches over both."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pylibmc
import pytest
from pymemcache import serde
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheServerError
from running_memcached import memcached_toml

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


@pytest.fixture
def address(pool: Pools) -> tuple[str, int]:
    url = urlsplit(pool(memcached_toml(max_item=100_000)).urls()[0])
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


@pytest.mark.parametrize("make", [Client, PooledClient, lambda address, **options: HashClient([address], **options)])
def test_pymemcache(address: tuple[str, int], make: type[Client]) -> None:
    client = make(address, serde=serde.pickle_serde, default_noreply=False)
    assert client.set("a", {"x": [1, 2]}, expire=100)
    assert client.get("a") == {"x": [1, 2]}
    assert client.set_many({f"k{number}": number for number in range(300)}) == []
    assert client.get_many([f"k{number}" for number in range(400)]) == {f"k{number}": number for number in range(300)}
    value, cas = client.gets("k1")
    assert (value, client.cas("k1", 5, cas), client.cas("k1", 6, cas), client.cas("none", 6, cas)) == (
        1,
        True,
        False,
        None,
    )
    assert (client.add("a", 1), client.add("new", 1), client.replace("no", 1)) == (False, True, False)
    assert (client.incr("k1", 3), client.decr("k1", 100), client.incr("none", 1)) == (8, 0, None)
    assert client.touch("k1", 10)
    assert client.delete("k1")
    assert not client.delete("k1")
    client.flush_all()
    assert client.get("a") is None
    client.close()


def test_pymemcache_without_replies(address: tuple[str, int]) -> None:
    client = Client(address)  # noreply is its default
    for number in range(2000):
        client.set(f"n{number}", str(number))
    client.delete("n7")
    client.incr("n8", 1, noreply=True)
    assert client.get_many(["n6", "n7", "n8"]) == {"n6": b"6", "n8": b"9"}
    assert client.append("n6", b"x", noreply=False)
    assert client.prepend("n6", b"y", noreply=False)
    assert client.get("n6") == b"y6x"
    assert client.version() == b"1.6.18"
    assert client.stats()[b"curr_items"] == 1999
    assert client.raw_command(b"mg n6 v f", end_tokens=b"\r\n") == b"VA 3 f0"
    client.close()
    with pytest.raises(MemcacheServerError, match="too large"):
        client.set("large", b"x" * 100_001, noreply=False)
    assert client.get("n6") == b"y6x"
    client.close()


def test_pylibmc(address: tuple[str, int]) -> None:
    client = pylibmc.Client(["{}:{}".format(*address)], behaviors={"cas": True, "tcp_nodelay": True})
    assert client.set("a", {"x": 1}, time=100)
    assert client.get("a") == {"x": 1}
    assert client.set_multi({f"k{number}": number for number in range(50)}) == []
    assert client.get_multi([f"k{number}" for number in range(60)]) == {f"k{number}": number for number in range(50)}
    value, cas = client.gets("k1")
    assert (value, client.cas("k1", 5, cas), client.cas("k1", 6, cas)) == (1, True, False)
    assert (client.incr("k1", 2), client.decr("k1"), client.delete("k1"), client.delete("k1")) == (7, 6, True, False)
    assert client.append("a", b"x") is True
    assert client.touch("a", 50) is True
    assert client.get_stats()[0][1]["version"] == b"1.6.18"
    assert client.flush_all()
    assert client.get("k2") is None


DJANGO = """
import sys, django
from django.conf import settings
settings.configure(CACHES={"default": {
    "BACKEND": f"django.core.cache.backends.memcached.{sys.argv[1]}", "LOCATION": sys.argv[2], "KEY_PREFIX": "p",
}}, SESSION_ENGINE="django.contrib.sessions.backends.cache")
django.setup()
from django.core.cache import cache
cache.set("a", {"x": (1, 2)}, 30)
assert cache.get("a") == {"x": (1, 2)}
assert cache.add("a", 1) is False and cache.add("b", 1, timeout=None) is True
assert cache.set_many({"c": 1, "d": 2}) == []
assert cache.get_many(["c", "d", "e"]) == {"c": 1, "d": 2}
assert cache.incr("c", 5) == 6 and cache.decr("c", 7) == 0 and cache.get("c") == 0
assert cache.get_or_set("e", lambda: [5]) == [5]
assert cache.touch("e", 100) is True and cache.touch("none") is False
assert cache.delete("e") is True and cache.get("e", "gone") == "gone"
cache.set("f", 1, timeout=0)
assert cache.get("f") is None
cache.set("g", 1, version=2)
assert cache.get("g") is None and cache.get("g", version=2) == 1
cache.set("h", 1, 60 * 60 * 24 * 365)
assert cache.get("h") == 1
from django.contrib.sessions.backends.cache import SessionStore
session = SessionStore()
session["cart"] = [1]
session.save()
assert SessionStore(session.session_key)["cart"] == [1]
cache.clear()
assert cache.get("a") is None
print("done")
"""


@pytest.mark.parametrize("backend", ["PyMemcacheCache", "PyLibMCCache"])
def test_django(address: tuple[str, int], backend: str) -> None:
    command = [sys.executable, "-c", DJANGO, backend, "{}:{}".format(*address)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    assert done.stderr == ""
    assert done.stdout == "done\n"
