"""python-socketio on the bus: its clients, over WebSockets, in four workers."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import socketio
from sources import source

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

TOML = """
[pool]
workers = 4
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
dispatcher = "round-robin"
[listener.options]
target = "socketed:app"
"""


@pytest.fixture(scope="module")
def served() -> Iterator[PoolProcess]:
    with PoolProcess.run(TOML, files={"socketed.py": source("served/socketed.py")}) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.stderr, running.stderr
        assert "pubsub" not in running.stderr, running.stderr


class Client:
    """A client of whichever worker, in a loop of its own thread."""

    def __init__(self, running: PoolProcess, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._client: Any = socketio.AsyncClient(reconnection=False)
        self.heard: list[object] = []
        self._client.on("said", self.heard.append)
        self._client.on("question", lambda _: "well")
        url = running.urls()[0].replace("tcp:", "http:")
        self._run(self._client.connect(url, transports=["websocket"], wait_timeout=DEADLINE_S))
        self.pid, self.sid = self._run(self._client.call("whoami", timeout=DEADLINE_S))

    @property
    def is_connected(self) -> bool:
        return bool(self._client.connected)

    def do(self, event: str, *words: object) -> None:
        self._run(self._client.emit(event, words))

    def close(self) -> None:
        self._run(self._client.disconnect())

    def _run(self, call: Coroutine[object, object, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(DEADLINE_S)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def clients(served: PoolProcess, loop: asyncio.AbstractEventLoop) -> Iterator[list[Client]]:
    """Connect to each worker."""
    found: dict[int, Client] = {}
    with ExitStack() as stack:
        while len(found) < 4:
            client = Client(served, loop)
            stack.callback(client.close)
            if found.setdefault(client.pid, client) is not client:
                client.close()
        yield list(found.values())


def test_an_emit_reaches_the_clients_of_all_workers(clients: list[Client]) -> None:
    for number in range(8):
        clients[number % 4].do("say", number)
        wait_until(lambda number=number: all(client.heard[-1:] == [number] for client in clients))
    assert all(client.heard == [*range(8)] for client in clients)


def test_a_client_is_found_in_whichever_worker(clients: list[Client]) -> None:
    for client in clients[1:]:
        clients[0].do("whisper", client.sid, client.pid)
        wait_until(lambda client=client: client.heard == [client.pid])
    assert clients[0].heard == []

    clients[0].do("whisper", clients[1].sid, b"\0\xff")
    wait_until(lambda: clients[1].heard[-1] == b"\0\xff")
    clients[0].do("go", clients[2].sid, "elsewhere")
    wait_until(lambda: clients[2].heard[-1] == "in the room")
    clients[0].do("ask", clients[3].sid)
    wait_until(lambda: clients[0].heard == [["answer", "well"]])
    clients[0].do("end", clients[3].sid)
    wait_until(lambda: not clients[3].is_connected)
