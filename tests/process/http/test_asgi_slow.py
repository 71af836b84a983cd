"""An ASGI application that keeps the loop is in the log, with advice that fits ASGI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from http_client import get, http_toml

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

APPLICATION = """
import asyncio, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await receive()
    if scope["path"] == "/awaits":
        await asyncio.sleep(1)
    if scope["path"] == "/thread":
        await asyncio.to_thread(time.sleep, 1)
    if scope["path"] == "/first":
        time.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"1", "more_body": True})
    if scope["path"] == "/last":
        await asyncio.sleep(0.1)
        time.sleep(1)
    await send({"type": "http.response.body", "body": b"2"})
"""
BLOCKED = r'loop_blocked request="GET (\S+)" seconds=[\d.]+ advice="[^"]*asyncio.to_thread[^"]*"( suppressed=\d+)?'


def test_an_application_that_keeps_the_loop_is_logged(pool: Pools) -> None:
    for path in ("/first", "/last"):
        running = pool(http_toml(target="application:app"), files={"application.py": APPLICATION})
        for _ in range(2):
            assert get(running, path).body == b"12"
        wait_until(lambda running=running: re.search(BLOCKED, running.stderr) is not None)
        running.stop()
        assert {found for found, _ in re.findall(BLOCKED, running.stderr)} == {path}


def test_one_that_is_turned_off_is_not_and_requests_that_wait_are_served_as_ever(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", slow_call=0), files={"application.py": APPLICATION})
    for path in ("/first", "/awaits", "/thread"):
        assert get(running, path).body == b"12"
    running.stop()
    assert "loop_blocked" not in running.stderr
