"""The buses of two masters, joined by a Redis server that comes and goes, or by a cluster."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from documents import DOCS
from running_redis import running_cluster, running_redis

from corepool.testing.sockets import connect
from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

CHAT = re.findall(r"```python\n# chat.py\n(.*?)```", (DOCS / "bus.md").read_text(), re.DOTALL)[0]
TELLING = CHAT.replace("yield message.data", 'yield b"<lost=%d>\\n" % message.lost * bool(message.lost) + message.data')
TOML = """
[pool]
workers = 2
dispatcher = "round-robin"
[[listener]]
name = "chat"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
extensions = ["bus-link"]
[listener.options]
target = "chat:app"
[listener.extension_options.bus-link]
url = "unix://{path}"
topics = ["room.*"]
"""


def say(running: PoolProcess, room: str, text: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(running.urls()[0].rpartition(":")[2]), DEADLINE_S)
    connection.request("POST", f"/{room}", text)
    assert connection.getresponse().status == 204
    connection.close()


class Ear:
    """A client that listens to a room."""

    def __init__(self, running: PoolProcess, room: str) -> None:
        self.sock: socket.socket = connect(running.urls()[0])
        self.sock.sendall(f"GET /{room} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        self._data = b""
        while b"\r\n\r\n" not in self._data:
            self._data += self.sock.recv(65536)
        self.sock.settimeout(0.05)
        self.is_cut = False

    def heard(self) -> list[str]:
        """Return all numbers so far."""
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            pass
        else:
            self._data += data
            self.is_cut = not data
        return re.findall(r"<(\S+)>", self._data.decode())

    def texts(self) -> list[str]:
        """Return the messages, without the lines about losses."""
        return [text for text in self.heard() if not text.startswith("lost=")]

    def wait_for(self, text: str) -> list[str]:
        """Wait until a text was heard; return all."""
        wait_until(lambda: text in self.heard(), what=f"{text} is heard")
        return self.heard()


def join(one: PoolProcess, two: PoolProcess, room: str = "door") -> None:
    """Wait until messages pass in both directions."""
    for here, there in ((one, two), (two, one)):
        ear = Ear(there, room)
        count = iter(range(10_000))

        def passes(here: PoolProcess = here, ear: Ear = ear, count: object = count) -> bool:
            say(here, room, f"<{count}>".replace(" ", ""))
            return bool(ear.heard())

        wait_until(passes, what="the buses are joined")
        ear.sock.close()


def bridge(running: PoolProcess, path: Path) -> int:
    """Return the pid of the worker that is connected to the server of a socket."""
    command = ["ss", "-xpnH"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S603
    peers = {line.split()[7] for line in lines if f"{path} " in line}
    pids = {int(pid) for line in lines if line.split()[5] in peers for pid in re.findall(r"pid=(\d+)", line)}
    (found,) = pids & set(running.workers())
    return found


def test_messages_reach_the_other_pool_once_and_in_order(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        one, two = (pool(TOML.format(path=path), files={"chat.py": CHAT}) for _ in range(2))
        join(one, two)
        ears = [Ear(one, "a"), Ear(two, "a"), Ear(two, "a")]
        for number in range(50):
            say(one, "a", f"<{number}>")
        say(two, "a", "<same>")
        say(two, "a", "<same>")
        for ear in ears:
            ear.wait_for("49")
            wait_until(lambda ear=ear: ear.heard().count("same") >= 2, what="both of the same")  # type: ignore[misc]

        say(one, "a", "<last>")
        expected = sorted([*map(str, range(50)), "same", "same", "last"])
        for ear in ears:
            assert sorted(ear.wait_for("last")) == expected, "each once"
            assert len(ear.heard()) == len(expected)
        for ear in ears:
            ear.sock.close()


def test_a_pool_takes_its_own_topics_alone(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        one = pool(TOML.format(path=path), files={"chat.py": CHAT})
        some = TOML.replace('["room.*"]', '["room.door", "room.b*"]')
        two = pool(some.format(path=path), files={"chat.py": CHAT})
        join(one, two)
        private, public = Ear(two, "a"), Ear(two, "b")
        for number in range(20):
            say(one, "a", f"<{number}>")
            say(one, "b", f"<{number}>")
        public.wait_for("19")
        say(two, "a", "<own>")
        assert private.wait_for("own") == ["own"]
        for ear in (private, public):
            ear.sock.close()


def test_it_goes_on_after_a_restart_of_the_server_and_a_reload(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        one, two = (pool(TOML.format(path=path), files={"chat.py": CHAT}) for _ in range(2))
        join(one, two)
    ear = Ear(one, "b")
    say(one, "b", "<alone>")
    assert ear.wait_for("alone") == ["alone"], "the pool's own bus needs no server"
    one.wait_logged("bus_link_lost")
    with running_redis(tmp_path):
        join(one, two, "again")
        ear.sock.close()
        two.request("reload")
        wait_until(lambda: two.status()["generation"] >= 1, what="the reload is done")
        join(one, two, "reloaded")


def test_subscribers_are_told_of_messages_that_another_host_could_not_send(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        one, two = (pool(TOML.format(path=path), files={"chat.py": TELLING}) for _ in range(2))
        join(one, two)
        ears = [Ear(two, "c"), Ear(two, "c"), Ear(one, "c")]
        say(one, "c", "<before>")
        for ear in ears:
            ear.wait_for("before")
    for number in range(7):
        say(one, "c", f"<{number}>")
    two.wait_logged("bus_link_lost")
    with running_redis(tmp_path):
        lost: list[str] = []

        def is_told() -> bool:  # the first messages may still be lost, and are told of, too
            say(one, "c", "<behind>")
            lost[:] = [text for ear in ears[:2] for text in ear.heard() if text.startswith("lost=")]
            return len(lost) >= 2

        wait_until(is_told, what="both subscribers of the other host are told")
        for ear in ears[:2]:
            told = sum(int(text[5:]) for text in ear.heard() if text.startswith("lost="))
            assert told >= 7, "those that were heard nowhere else"
        assert not [text for text in ears[2].heard() if text.startswith("lost=")], "its own host has lost nothing"
    for ear in ears:
        ear.sock.close()


def test_the_pools_of_a_master_have_one_connection_to_the_others(pool: Pools, tmp_path: Path) -> None:
    with running_redis(tmp_path) as path:
        both = TOML.replace("[pool]", '[[pool]]\nname = "a"').replace('name = "chat"', 'name = "chat"\npool = "a"')
        second = TOML.replace("[pool]", '[[pool]]\nname = "b"').replace('name = "chat"', 'name = "other"\npool = "b"')
        pools, tables = both.partition("[[listener]]"), second.partition("[[listener]]")
        toml = "".join((pools[0], tables[0], *pools[1:], *tables[1:]))
        one = pool(toml.format(path=path), files={"chat.py": CHAT})
        two = pool(TOML.format(path=path), files={"chat.py": CHAT})
        join(one, two)
        ears = [Ear(two, "d"), Ear(one, "d")]
        for number in range(20):
            say(one, "d", f"<{number}>")
        say(two, "d", "<last>")
        for ear in ears:
            ear.wait_for("last")
            ear.wait_for("19")
            assert sorted(ear.heard()) == sorted([*map(str, range(20)), "last"]), "each once"
            ear.sock.close()


def test_a_cluster_joins_them(pool: Pools, tmp_path: Path) -> None:
    with running_cluster(tmp_path) as ports:
        places = ",".join(f"127.0.0.1:{port}" for port in ports)
        toml = TOML.replace('"unix://{path}"', f'"cluster://{places}"')
        one, two = (pool(toml, files={"chat.py": CHAT}) for _ in range(2))
        join(one, two)
        ear = Ear(two, "e")
        for number in range(50):
            say(one, "e", f"<{number}>")
        assert sorted(ear.wait_for("49")) == sorted(str(number) for number in range(50))
        ear.sock.close()


@pytest.mark.parametrize("side", ["publishes", "subscribes"])
def test_a_bridge_that_is_killed_is_replaced_and_losses_are_told(pool: Pools, tmp_path: Path, side: str) -> None:
    with running_redis(tmp_path) as path:
        one, two = (pool(TOML.format(path=path), files={"chat.py": TELLING}) for _ in range(2))
        join(one, two)
        ears = [Ear(two, "f") for _ in two.workers()]  # round-robin: one of each worker
        say(one, "f", "<first>")
        for ear in ears:
            ear.wait_for("first")
        killed = bridge(one if side == "publishes" else two, path)
        numbers = iter(range(100_000))

        def hears_more() -> bool:
            """Publish, and return whether another message has come to each that was not cut off."""
            before = {ear: len(ear.texts()) for ear in ears}
            for _ in range(10):
                say(one, "f", f"<{next(numbers)}>")
            return all(len(ear.texts()) > before[ear] or ear.is_cut for ear in ears)

        wait_until(hears_more, what="messages pass")
        os.kill(killed, signal.SIGKILL)
        if side == "subscribes":
            wait_until(lambda: any(ear.heard() and ear.is_cut for ear in ears), what="a client is cut off")
        wait_until(hears_more, what="messages pass again")
        join(one, two)
        say(one, "f", "<last>")
        rest = [ear for ear in ears if not ear.is_cut]
        assert len(rest) == (2 if side == "publishes" else 1)
        for ear in rest:
            ear.wait_for("last")
            texts = ear.texts()
            came = [int(text) for text in texts if text.isdecimal()]
            assert came == sorted(set(came)), "in order, nothing twice"
            told = sum(int(text[5:]) for text in ear.heard() if text.startswith("lost="))
            missed = next(numbers) - len(came)
            assert told >= (missed if side == "subscribes" else 1), f"{missed} are missing"
        for ear in ears:
            ear.sock.close()
