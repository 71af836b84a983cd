"""The page of the demo pool."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

from http_client import get, http_toml

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.pools import Pools


def test_the_page_shows_the_pool_as_it_is(pool: Pools) -> None:
    running = pool(http_toml(workers=3, target="corepool_http.welcome:app"))
    pids = running.workers()

    def seen() -> list[list[int]]:
        told = json.loads(get(running, "/status.json").body)
        return [[each["slot"], each["pid"]] for each in told["workers"]]

    wait_until(lambda: seen() == [[slot, pid] for slot, pid in enumerate(pids)])
    page = get(running, "/").body.decode()
    assert running.urls()[0] in page
    assert all(f"<td>{pid}<td" in page for pid in pids)
    assert get(running, "/nothing").status == 404

    # A worker that has gone is seen no more, and its replacement is.
    running.send_signal(22)  # TTOU
    wait_until(lambda: len(running.workers()) == 2)
    wait_until(lambda: seen() == [[slot, pid] for slot, pid in enumerate(running.workers())])


def test_a_browser_shows_the_page(pool: Pools, tmp_path: Path) -> None:
    running = pool(http_toml(workers=2, target="corepool_http.welcome:app"))
    url = running.urls()[0].replace("tcp://", "http://")
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--dump-dom")
    shown = subprocess.run(["chromium", *options, f"{url}/"], capture_output=True, timeout=100, check=True).stdout  # noqa: S603, S607

    rows = re.findall(r"<tr><td>(\d+)</td><td>(\d+)", shown.decode())
    assert [int(pid) for _, pid in rows] == running.workers()
    assert "<td>http</td><td>http</td>" in shown.decode()
