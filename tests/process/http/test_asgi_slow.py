"""An ASGI application that keeps the loop is in the log, with advice that fits ASGI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from http_client import get, http_toml
from websockets.sync.client import connect

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

APPLICATION = """
import asyncio, time

def timers_of_apps():
    timers = asyncio.get_running_loop()._scheduled
    modules = [str(getattr(timer._callback, "__module__", "")) for timer in timers]
    return repr([module for module in modules if module.startswith("corepool_http.apps")]).encode()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    await receive()
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await receive()
        time.sleep(3)
        await send({"type": "websocket.send", "text": "done"})
        return
    if scope["path"] == "/open":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": timers_of_apps(), "more_body": True})
        await receive()
        return
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


def test_a_websocket_is_named_and_not_the_request_that_was_answered_before(pool: Pools) -> None:
    running = pool(http_toml(target="application:app", slow_call="2.5s"), files={"application.py": APPLICATION})
    assert get(running, "/").body == b"12"
    with connect(running.urls()[0].replace("tcp://", "ws://") + "/socket") as client:
        client.send("x")
        assert client.recv() == "done"
    wait_until(lambda: re.search(BLOCKED, running.stderr) is not None)
    running.stop()
    assert {found for found, _ in re.findall(BLOCKED, running.stderr)} == {"/socket"}


def test_a_response_that_is_open_keeps_no_timer(pool: Pools) -> None:
    running = pool(http_toml(target="application:app"), files={"application.py": APPLICATION})
    with running.connect() as client:
        client.sendall(b"GET /open HTTP/1.1\r\nHost: x\r\n\r\n")
        content = b""
        while b"]" not in content:
            data = client.recv(1 << 16)
            assert data
            content += data
    assert b"[]" in content
