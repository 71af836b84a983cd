"""ASGI: what an application awaits in a loop leaves the others their turn, and it learns that its client has gone."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from typing import TYPE_CHECKING

import pytest
from http_client import get, http_toml, receive_response, request
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until
from corepool_http.apps.waiting import CALLS_PER_ROUND, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pools import Pools

APPLICATION = source("served/turns.py")


@pytest.fixture(scope="module")
def turns() -> Iterator[PoolProcess]:
    """Serve an application that goes on for ever; one worker, so that every client depends on it."""
    toml = http_toml(target="application:app").replace("[pool]", '[pool]\nstop_timeout = "1s"')
    with PoolProcess.run(toml, files={"application.py": APPLICATION}) as running:
        [worker] = running.workers()
        yield running
        assert running.workers() == [worker]
        assert "Traceback" not in running.stderr, "that a client leaves is no error of the application"
        running.stop()


def websocket(path: str) -> bytes:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", key)
    return request(path, *upgrade, close=False)


def events(running: PoolProcess) -> list[object]:
    found: list[object] = json.loads(get(running, "/events").body)
    return found


def ends_by_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("how", ["stays", "leaves"])
@pytest.mark.parametrize("name", ["body", "nothing", "last", "path", "start", "unknown"])
def test_an_application_that_sends_for_ever(turns: PoolProcess, name: str, how: str) -> None:
    with connect(turns.urls()[0]) as sock:
        sock.sendall(request(f"/for-ever/{name}", close=False))
        wait_until(lambda: f"/for-ever/{name}" in events(turns))
        ends_by_reset(sock)
        if how == "leaves":
            sock.close()
        assert get(turns, "/").body == b"served"


@pytest.mark.parametrize("how", ["stays", "leaves"])
@pytest.mark.parametrize("name", ["text", "bytes", "close", "accept", "denial", "unknown"])
def test_a_websocket_that_sends_for_ever(turns: PoolProcess, name: str, how: str) -> None:
    with connect(turns.urls()[0]) as sock:
        sock.sendall(websocket(f"/for-ever/{name}"))
        wait_until(lambda: f"/for-ever/{name}" in events(turns))
        ends_by_reset(sock)
        if how == "leaves":
            sock.close()
        assert get(turns, "/").body == b"served"


@pytest.mark.parametrize("name", ["", "done"])
@pytest.mark.parametrize("is_websocket", [False, True])
def test_an_application_that_receives_for_ever(turns: PoolProcess, name: str, is_websocket: bool) -> None:  # noqa: FBT001
    path = f"/receive-for-ever/{name}"
    if is_websocket and name:
        return
    with connect(turns.urls()[0]) as sock:
        sock.sendall(websocket(path) if is_websocket else request(path, close=False))
        wait_until(lambda: path in events(turns))
        if name == "done":
            assert receive_response(sock).body == b""
        ends_by_reset(sock)  # after a mere end the client might still read
    assert get(turns, "/").body == b"served"


@pytest.mark.parametrize(
    ("name", "is_websocket", "end"),
    [
        *((name, False, end) for name in ("body", "nothing", "file") for end in ("close", "reset")),
        *((name, False, "reset") for name in ("start", "unknown")),  # nothing is sent: a mere end leaves it to be read
        *((name, True, end) for name in ("text", "bytes", "denial", "close", "accept") for end in ("close", "reset")),
    ],
)
def test_sending_to_a_client_that_has_gone_is_an_os_error(
    turns: PoolProcess,
    name: str,
    is_websocket: bool,  # noqa: FBT001
    end: str,
) -> None:
    path = f"/until-it-raises/{name}"
    before = events(turns)
    with connect(turns.urls()[0]) as sock:
        sock.sendall(websocket(path) if is_websocket else request(path, close=False))
        if name not in {"start", "unknown"}:
            assert sock.recv(1)
        if end == "reset":
            ends_by_reset(sock)
    wait_until(lambda: len(events(turns)) > len(before))
    [[told, kinds]] = [each for each in events(turns)[len(before) :] if isinstance(each, list)]
    assert told == path
    assert "OSError" in kinds, kinds


def test_a_client_that_is_told_of_by_receive_alone(turns: PoolProcess) -> None:
    """The answer is there at once, however often it is asked for between turns of the loop."""
    with connect(turns.urls()[0]) as sock:
        sock.sendall(request("/poll", close=False))
        wait_until(lambda: "polls" in events(turns))
    wait_until(lambda: "polled" in events(turns))


def test_a_client_that_reads_too_slowly_is_gone(pool: Pools) -> None:
    toml = http_toml(target="application:app", listener='write_timeout = "0.2s"')
    running = pool(toml, files={"application.py": APPLICATION})
    with connect(running.urls()[0]) as http, connect(running.urls()[0]) as other:
        http.sendall(request("/until-it-raises/body", close=False))
        other.sendall(websocket("/until-it-raises/text"))
        wait_until(lambda: len(events(running)) == 2)
    for _, kinds in events(running):  # type: ignore[misc]
        assert "OSError" in kinds


class Calling(Waiting):
    """Calls as an application does."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls = self._rounds = 0
        self._waiter = None

    async def call(self) -> None:
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()


@pytest.mark.parametrize(("seconds_per_call", "most"), [(0.0, 16 * CALLS_PER_ROUND), (0.01, 2 * CALLS_PER_ROUND)])
def test_a_turn_has_so_many_calls_or_so_much_time(seconds_per_call: float, most: int) -> None:
    async def count() -> None:
        loop = asyncio.get_running_loop()
        calling = Calling(loop)
        begin, calls, counts = loop.time(), 0, []
        loop.time = lambda: begin + calls * seconds_per_call  # type: ignore[method-assign]

        async def go_on() -> None:
            nonlocal calls
            while True:
                await calling.call()
                calls += 1

        task = asyncio.ensure_future(go_on())
        for _ in range(5):
            before = calls
            await asyncio.sleep(0)
            counts.append(calls - before)
        task.cancel()
        assert max(counts) <= most
        assert sum(counts) >= 3 * most

    asyncio.run(count())


def test_a_call_does_not_wait_while_the_loop_turns() -> None:
    """However many there are: what cancels a call at its first wait would lose its answer."""

    async def call() -> None:
        calling = Calling(asyncio.get_running_loop())
        for _ in range(1000):
            with pytest.raises(StopIteration):  # it has returned
                calling.call().send(None)
            await asyncio.sleep(0)

    asyncio.run(call())


def test_websockets_end_as_their_worker_leaves(pool: Pools) -> None:
    toml = http_toml(target="application:app").replace("[pool]", '[pool]\nstop_timeout = "1s"')
    running = pool(toml, files={"application.py": APPLICATION})
    url = running.urls()[0].replace("tcp://", "ws://")
    with connect_websocket(f"{url}/for-ever/nothing") as first, connect_websocket(f"{url}/receive-for-ever/") as second:
        running.send_signal(15)
        assert running.wait() == 0
        del first, second
