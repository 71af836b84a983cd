"""python-socketio under WSGI, in threads: its clients, by long-polling, in four workers."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from sources import source

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

TOML = """
[pool]
workers = 4
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
dispatcher = "round-robin"
[listener.options]
target = "socketed_wsgi:app"
threads = 8
"""


@pytest.fixture(scope="module")
def served() -> Iterator[PoolProcess]:
    with PoolProcess.run(TOML, files={"socketed_wsgi.py": source("served/socketed_wsgi.py")}) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.stderr, running.stderr
        assert "pubsub" not in running.stderr, running.stderr


class Client:
    """Engine.IO 4 and Socket.IO 5 by hand, over one connection, which stays with one worker."""

    def __init__(self, running: PoolProcess) -> None:
        port = int(running.urls()[0].rpartition(":")[2])
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        self._path = "/socket.io/?EIO=4&transport=polling"
        self._packets: list[str] = []
        self._path += "&sid=" + json.loads(self._packet().removeprefix("0"))["sid"]
        self._post("40")
        assert self._packet().startswith("40")
        self._post('420["whoami"]')
        self.pid, self.sid = json.loads(self._packet().removeprefix("430"))[0]

    def do(self, *words: object) -> None:
        self._post("42" + json.dumps(words))

    def heard(self) -> object:
        """Wait for the next event, and return its words."""
        packet = self._packet()
        assert packet.startswith('42["said",'), packet
        return json.loads(packet[2:])[1]

    def answer(self, text: str) -> None:
        """Wait for a question, and answer it."""
        head, _, question = self._packet().partition("[")
        assert question == '"question","how are you?"]'
        self._post(f"43{head[2:]}" + json.dumps([text]))

    def ends(self) -> bool:
        """Wait for the end."""
        return self._packet() == "41"

    def close(self) -> None:
        with suppress(OSError, http.client.HTTPException):
            self._connection.request("POST", self._path, "1")
            self._connection.getresponse().read()
        self._connection.close()

    def _packet(self) -> str:
        while not self._packets:
            self._connection.request("GET", self._path)
            response = self._connection.getresponse()
            text = response.read().decode()
            assert response.status == 200, text
            for packet in text.split("\x1e"):
                if packet == "2":  # a ping
                    self._post("3")
                else:
                    self._packets.append(packet)
        return self._packets.pop(0)

    def _post(self, packet: str) -> None:
        self._connection.request("POST", self._path, packet, {"Content-Type": "text/plain"})
        response = self._connection.getresponse()
        text = response.read()
        assert response.status == 200, text


@pytest.fixture
def clients(served: PoolProcess) -> Iterator[list[Client]]:
    """Connect to each worker."""
    with ExitStack() as stack:
        made = [Client(served) for _ in range(4)]
        for client in made:
            stack.callback(client.close)
        assert len({client.pid for client in made}) == 4
        yield made


def test_an_emit_reaches_the_clients_of_all_workers(clients: list[Client]) -> None:
    for number in range(8):
        clients[number % 4].do("say", number)
        assert [client.heard() for client in clients] == [number] * 4


def test_a_client_is_found_in_whichever_worker(clients: list[Client]) -> None:
    one, other, third, last = clients
    one.do("whisper", other.sid, "to you")
    assert other.heard() == "to you"
    one.do("go", third.sid, "elsewhere")
    assert third.heard() == "in the room"
    one.do("ask", last.sid)
    last.answer("well")
    assert one.heard() == "well"
    one.do("end", last.sid)
    assert last.ends()
    one.do("say", "bye")
    assert [client.heard() for client in (one, other, third)] == ["bye"] * 3
