"""The page on sticky sessions: its own configurations, in a real nginx and a real HAProxy, with Socket.IO's polling."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import documents
import httpx
import pytest
from proxy_programs import PROXIES
from sources import source

from corepool.testing.sockets import reserved_port
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

PAGE = {b.file: b.text for b in documents.blocks(documents.DOCS / "howto" / "sticky-sessions.md") if b.file}
CLIENTS = 12


@contextlib.contextmanager
def consecutive_ports(count: int) -> Iterator[list[int]]:
    """Hold ports that follow each other, as `reserved_port` holds one."""
    with contextlib.ExitStack() as held:
        while True:
            first = held.enter_context(reserved_port())
            with contextlib.ExitStack() as more:
                try:
                    for port in range(first + 1, first + count):
                        reservation = more.enter_context(socket.socket())
                        reservation.bind(("127.0.0.1", port))  # without REUSEADDR: it must be free
                        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                except OSError:
                    continue
                held.enter_context(more.pop_all())
                break
        yield list(range(first, first + count))


@pytest.fixture(params=["nginx", "haproxy"])
def front(request: pytest.FixtureRequest, pool: Pools) -> Iterator[tuple[str, PoolProcess]]:
    """Return the URL of a proxy, and the pool behind it, configured as the page says but for ports."""
    with (
        tempfile.TemporaryDirectory(prefix="corepool-") as name,
        consecutive_ports(3) as own,
        reserved_port() as port,
    ):
        folder = Path(name)

        def here(text: str) -> str:
            text = re.sub(r"127\.0\.0\.1:800([123])", lambda found: f"127.0.0.1:{own[int(found[1]) - 1]}", text)
            text = text.replace("listen 80", f"listen 127.0.0.1:{port}").replace("bind :80", f"bind 127.0.0.1:{port}")
            return text.replace("shop:app", "talk:app")

        for page_name in ("shop.conf", "haproxy.cfg"):
            (folder / page_name).write_text(here(PAGE[page_name]))
        running = pool(here(PAGE["corepool.toml"]), files={"talk.py": source("served/talk.py")})
        with PROXIES[request.param](folder, port):
            yield f"http://127.0.0.1:{port}", running


def test_socketio_by_polling_stays_with_its_worker(front: tuple[str, PoolProcess]) -> None:
    url, running = front
    met = [whereabouts(url) for _ in range(CLIENTS)]

    assert set(met) <= set(running.workers())
    assert len(set(met)) > 1  # and not all of them with one


def whereabouts(url: str) -> int:
    """Open a session by Engine.IO's polling, and ask it three times for its process: a request to another fails."""
    # Not by the library's client: its disconnect waits half a minute for its last poll, on any server.
    with httpx.Client(base_url=f"{url}/socket.io/", params={"EIO": "4", "transport": "polling"}) as browser:
        browser.timeout = httpx.Timeout(DEADLINE_S)
        session = json.loads(browser.get("").raise_for_status().text.removeprefix("0"))
        browser.params = browser.params.set("sid", session["sid"])
        browser.post("", content="40").raise_for_status()
        assert browser.get("").raise_for_status().text.startswith("40")
        pids = set()
        for number in range(1, 4):
            browser.post("", content=f'42{number}["whereabouts"]').raise_for_status()
            answer = browser.get("").raise_for_status().text
            pids.add(int(answer.removeprefix(f"43{number}[").removesuffix("]")))
        assert len(pids) == 1
        return pids.pop()
