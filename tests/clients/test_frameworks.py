"""Frameworks as people use them: Flask, Django (both interfaces), Starlette, FastAPI; httpx and curl as clients."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from http_client import APPLICATIONS, http_toml
from websockets.sync.client import connect as connect_websocket

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools


def url_of(running: PoolProcess) -> str:
    return running.urls()[0].replace("tcp://", "http://")


@pytest.mark.parametrize(
    ("target", "threads"),
    [
        ("frameworks.with_flask:app", 0),
        ("frameworks.with_flask:app", 2),
        ("frameworks.with_django:wsgi", 0),
        ("frameworks.with_django:wsgi", 2),
        ("frameworks.with_django:asgi", 0),
        ("frameworks.with_starlette:app", 0),
        ("frameworks.with_fastapi:app", 0),
    ],
)
def test_a_framework(pool: Pools, target: str, threads: int) -> None:
    running = pool(http_toml(target=target, directory=str(APPLICATIONS), threads=threads))
    with httpx.Client(base_url=url_of(running), timeout=60) as client:
        for _ in range(3):
            assert client.get("/hello", params={"name": "world"}).text == "hello world"
        answer = client.post("/upload", files={"file": ("a.bin", b"x" * 3_000_000)})
        assert answer.text == "3000000"
        assert client.get("/stream").text == "".join(f"{number}\n" for number in range(1000))
        assert client.get("/nothing-there").status_code == 404
        if "django" in target:
            # The ORM refuses to work where it sees a running loop, and so do asyncio.run and async_to_sync.
            assert client.get("/count").text == "2"
            assert client.get("/async").text == "from a coroutine"
            assert client.get("/sync-to-async").text == "from a coroutine"
    curl = subprocess.run(  # noqa: S603
        ["curl", "-s", "--http1.1", "-H", "Expect: 100-continue", "-d", "a=b", f"{url_of(running)}/form"],  # noqa: S607
        capture_output=True,
        check=True,
    )
    assert curl.stdout == b"b"


def test_a_websocket_of_starlette(pool: Pools) -> None:
    running = pool(http_toml(target="frameworks.with_starlette:app", directory=str(APPLICATIONS)))
    with connect_websocket(url_of(running).replace("http://", "ws://") + "/ws") as socket:
        socket.send("hello")
        assert socket.recv() == "hello"
