"""Workers that are killed amid changes of collections: acknowledged changes stay, and none is done twice."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from kv_client import Client, kv_toml

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

KILLS = 12
ADDS = (
    ("RPUSH", "list"),
    ("SADD", "set"),
    ("ZADD", "sorted set", 1),
    ("HSET", "hash"),
    ("XADD", "stream", "*", "f"),
)
REMOVES = {"SADD": "SREM", "ZADD": "ZREM", "HSET": "HDEL"}


class Reconnecting(threading.Thread):
    """A client that connects again whenever its worker dies."""

    def __init__(self, url: str, name: str, over: threading.Event) -> None:
        super().__init__(name=name)
        self.steps = 0
        self.failures: list[object] = []
        self.over = over
        self._url = url

    def run(self) -> None:
        while not self.over.is_set():
            try:
                with connect(self._url) as sock:
                    client = Client(sock)
                    self.begin(client)
                    while not self.over.is_set():
                        self.step(client)
                        self.steps += 1
            except (OSError, EOFError):
                continue

    def begin(self, client: Client) -> None:
        """Do something behind each connect."""

    def step(self, client: Client) -> None:
        raise NotImplementedError

    def checked(self, reply: Any) -> Any:
        if isinstance(reply, Exception):
            self.failures.append(reply)
        return reply


class Writer(Reconnecting):
    """Adds elements of its own to collections of all, each once, and removes every third."""

    def __init__(self, url: str, name: str, over: threading.Event) -> None:
        super().__init__(url, name, over)
        self.added: dict[str, set[bytes]] = {key: set() for _, key, *_ in ADDS}
        """Acknowledged, and never removed."""
        self.removed: dict[str, set[bytes]] = {key: set() for _, key, *_ in ADDS}
        self.joint: set[bytes] = set()
        """Acknowledged, and in all collections."""
        self._number = 0

    def step(self, client: Client) -> None:
        self._number += 1
        value = f"{self.name}-{self._number}".encode()
        if self._number % 5 == 0:
            commands = [words_of(command, b"joint-" + value) for command in ADDS]
            client.send_all([("MULTI",), *commands, ("EXEC",)])
            replies = [self.checked(client.receive()) for _ in range(len(commands) + 2)]
            if len(replies[-1]) == len(commands):
                self.joint.add(b"joint-" + value)
            return
        command = ADDS[self._number % len(ADDS)]
        reply = self.checked(client(*words_of(command, value)))
        remove = REMOVES.get(str(command[0])) or ("XDEL" if command[0] == "XADD" else None)
        if self._number % 3 or remove is None:
            self.added[str(command[1])].add(value)
        elif self.checked(client(remove, command[1], reply if remove == "XDEL" else value)) == 1:
            self.removed[str(command[1])].add(value)


def words_of(command: tuple[object, ...], value: bytes) -> tuple[object, ...]:
    return (*command, value, "v") if command[0] == "HSET" else (*command, value)


class Consumer(Reconnecting):
    """Reads entries of a stream in a group, and acknowledges them; first those that it has got before."""

    def __init__(self, url: str, name: str, over: threading.Event) -> None:
        super().__init__(url, name, over)
        self.acknowledged: list[bytes] = []

    def begin(self, client: Client) -> None:
        self._read(client, "0")

    def step(self, client: Client) -> None:
        self._read(client, ">", "BLOCK", 50)

    def _read(self, client: Client, after: str, *options: object) -> None:
        group = ("XREADGROUP", "GROUP", "group", self.name, "COUNT", 5)
        for _, entries in self.checked(client(*group, *options, "STREAMS", "stream", after)) or []:
            for entry_id, _ in entries:
                if self.checked(client("XACK", "stream", "group", entry_id)) == 1:
                    self.acknowledged.append(entry_id)


def kill_some(running: PoolProcess, busy: list[Reconnecting]) -> None:
    """Kill workers one after the other, each when all clients have gone on behind the one before."""
    for _ in range(KILLS):
        restarts = running.status()["totals"]["restarts"]
        os.kill(random.choice(running.workers()), signal.SIGKILL)  # noqa: S311
        steps = [each.steps for each in busy]
        wait_until(lambda restarts=restarts: running.status()["totals"]["restarts"] > restarts)
        wait_until(lambda: len(running.workers()) == 3)
        wait_until(
            lambda before=steps: all(each.steps > count for each, count in zip(busy, before, strict=True)),
            what="every client goes on",
        )


def content(client: Client) -> dict[str, list[bytes]]:
    """Return the elements of each collection, each as often as it is there."""
    return {
        "list": client("LRANGE", "list", 0, -1),
        "set": client("SMEMBERS", "set"),
        "sorted set": client("ZRANGE", "sorted set", 0, -1),
        "hash": client("HKEYS", "hash"),
        "stream": [fields[1] for _, fields in client("XRANGE", "stream", "-", "+")],
    }


def test_nothing_acknowledged_is_lost_and_no_element_is_there_twice(
    pool: Pools, clients: Callable[[PoolProcess], Client]
) -> None:
    running = pool(kv_toml(workers=3))
    over = threading.Event()
    url = running.urls()[0]
    clients(running)("XGROUP", "CREATE", "stream", "group", "0", "MKSTREAM")
    writers = [Writer(url, f"writer{number}", over) for number in range(5)]
    consumers = [Consumer(url, f"consumer{number}", over) for number in range(2)]
    everyone: list[Reconnecting] = [*writers, *consumers]
    for each in everyone:
        each.start()
    try:
        kill_some(running, everyone)
    finally:
        over.set()
        for each in everyone:
            each.join()
    client = clients(running)
    found = content(client)

    assert [each.failures for each in everyone] == [[]] * len(everyone)
    for key, elements in found.items():
        assert not [element for element, times in Counter(elements).items() if times > 1], f"twice in the {key}"
        for writer in writers:
            assert writer.added[key] <= set(elements), f"lost from the {key}"
            assert not writer.removed[key] & set(elements), f"removed from the {key}, and there"
    lengths = [("LLEN", "list"), ("SCARD", "set"), ("ZCARD", "sorted set"), ("HLEN", "hash"), ("XLEN", "stream")]
    assert [client(*command) for command in lengths] == [len(found[key]) for _, key in lengths]
    assert all(client("ZSCORE", "sorted set", member) == b"1" for member in found["sorted set"])
    joint = [{element for element in elements if element.startswith(b"joint-")} for elements in found.values()]
    assert all(each == joint[0] for each in joint), "a transaction was done by half"
    assert set().union(*(writer.joint for writer in writers)) <= joint[0]

    acknowledged = [entry_id for consumer in consumers for entry_id in consumer.acknowledged]
    assert len(acknowledged) == len(set(acknowledged)), "acknowledged twice"
    client("XREADGROUP", "GROUP", "group", "last", "STREAMS", "stream", ">")
    pending = {entry_id for entry_id, *_ in client("XPENDING", "stream", "group", "-", "+", 1_000_000)}
    assert not pending & set(acknowledged)
    summary = client("XPENDING", "stream", "group")
    assert summary[0] == len(pending) == sum(int(count) for _, count in summary[3] or [])
    ids = {entry_id for entry_id, _ in client("XRANGE", "stream", "-", "+")}
    missing = ids - pending - set(acknowledged)
    assert len(missing) <= KILLS * len(consumers), "delivered to no consumer"  # an acknowledgement without its reply
