"""The cache: a page is made once for all who ask at once, in whichever worker, and outlives its maker."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
from running_memcached import Client

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from example_folders import Start

    from corepool.testing.pool import PoolProcess


def ask(running: PoolProcess, path: str) -> str:
    url = running.urls("web")[0].replace("tcp:", "http:")
    return httpx.get(url + path, timeout=DEADLINE_S).text


def test_a_page_is_made_once_and_outlives_its_maker(start: Start) -> None:
    running = start("cache")
    with ThreadPoolExecutor(20) as threads:
        pages = list(threads.map(lambda _: ask(running, "/hello"), range(20)))
    assert len(set(pages)) == 1
    maker = int(pages[0].split()[4])
    os.kill(maker, signal.SIGKILL)
    wait_until(lambda: maker not in running.workers())
    assert ask(running, "/hello") == pages[0]
    assert ask(running, "/other") != pages[0]
    with connect(running.urls("cache")[0]) as sock:
        assert Client(sock).ask(b"get page:/hello\r\n").count(b"made by process %d" % maker) == 1
