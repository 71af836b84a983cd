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


def ask(url: str) -> str:
    return httpx.get(url, timeout=DEADLINE_S).text


def test_a_page_is_made_once_and_outlives_its_maker(start: Start) -> None:
    running = start("cache")
    web = running.urls("web")[0].replace("tcp:", "http:")
    with ThreadPoolExecutor(20) as threads:
        pages = list(threads.map(ask, [f"{web}/hello"] * 20))
    assert len(set(pages)) == 1
    maker = int(pages[0].split()[4])
    os.kill(maker, signal.SIGKILL)
    wait_until(lambda: maker not in running.workers())
    assert ask(f"{web}/hello") == pages[0]
    assert ask(f"{web}/other") != pages[0]
    with connect(running.urls("cache")[0]) as sock:
        assert Client(sock).ask(b"get page:/hello\r\n").count(b"made by process %d" % maker) == 1
