"""Pages that take long to make: each is made once a minute, by some worker, and all of them serve it from the cache."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pymemcache.client.base import PooledClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheUnexpectedCloseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

CONNECTIONS = 4
CACHE = RetryingClient(
    PooledClient("unix:/tmp/corepool-cache.sock", max_pool_size=CONNECTIONS, timeout=2, connect_timeout=2),
    attempts=CONNECTIONS + 1,  # all of them may have been served by a worker that has died
    retry_for=[ConnectionError, MemcacheUnexpectedCloseError],
)
KEPT_S = 60
MAKING_S = 10
"""A page is made by one request, the others wait so long at most."""


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Serve a page."""
    content = page(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(content)))])
    return [content]


def page(path: str) -> bytes:
    """Return a page from the cache, or make it.

    `add` is done for one of many who ask at once: that one makes the page, and the others look again.
    """
    key = "page:" + path
    until_s = time.monotonic() + MAKING_S
    while (kept := CACHE.get(key)) is None:
        if CACHE.add("making:" + key, b"1", expire=MAKING_S, noreply=False) or time.monotonic() > until_s:
            kept = make(path)
            CACHE.set(key, kept, expire=KEPT_S, noreply=False)
            CACHE.delete("making:" + key)
            break
        time.sleep(0.01)
    return bytes(kept)


def make(path: str) -> bytes:
    """Make a page, which takes a while."""
    time.sleep(0.2)
    return f"{path}, made by process {os.getpid()} at {time.strftime('%X')}\n".encode()
