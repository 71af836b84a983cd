"""The channel layer of Django Channels on the bus: its specification in one worker, and its consumers in four."""

from __future__ import annotations

import json
import os
import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from http_client import get
from operated import corepool
from sources import source
from websockets.sync.client import connect as connect_websocket

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

TOML = """
[pool]
workers = 4
respawn_delay = "1ms"
respawn_delay_max = "1ms"
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
dispatcher = "round-robin"
[listener.options]
target = "layered:app"
"""
SPECIFICATION = [
    "normal_channel",
    "own_channel",
    "order",
    "order_of_both_ways",
    "capacity",
    "groups",
    "full_group",
    "expiry",
    "expiry_ends_membership",
    "cancelled",
    "flush",
    "mistakes",
    "copies",
    "threads",
]


@pytest.fixture(scope="module")
def layered() -> Iterator[PoolProcess]:
    """One pool for all: each test leaves the layer empty."""
    with PoolProcess.run(TOML, files={"layered.py": source("served/layered.py")}) as running:
        yield running
        running.stop()
        assert "Traceback" not in running.stderr, running.stderr


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Member:
    """A client of the room, of whichever worker."""

    def __init__(self, running: PoolProcess, stack: ExitStack) -> None:
        url = running.urls()[0].replace("tcp:", "ws:")
        self._socket: ClientConnection = stack.enter_context(connect_websocket(url, open_timeout=300))
        self.pid, self.channel = self.next()

    def do(self, *command: object) -> None:
        self._socket.send(json.dumps(command))

    def next(self) -> Any:
        return json.loads(self._socket.recv(timeout=300))

    def has(self, word: object) -> bool:
        """Return whether a word has come, or comes soon."""
        try:
            return bool(json.loads(self._socket.recv(timeout=0.1)) == word)
        except TimeoutError:
            return False

    def close(self) -> None:
        self._socket.close()


def members_of_each(running: PoolProcess, stack: ExitStack) -> list[Member]:
    """Connect to each worker."""
    found: dict[int, Member] = {}
    while len(found) < 4:
        member = Member(running, stack)
        if found.setdefault(member.pid, member) is not member:
            member.close()
    return list(found.values())


@pytest.mark.parametrize("name", SPECIFICATION)
def test_the_specification_of_channel_layers_holds(layered: PoolProcess, name: str) -> None:
    assert get(layered, f"/{name}").body.decode() == "ok"


def test_a_group_has_consumers_in_all_workers(layered: PoolProcess, stack: ExitStack) -> None:
    members = [member for _ in range(3) for member in members_of_each(layered, stack)]
    for number in range(20):
        members[number % 12].do("say", f"line {number}")
        assert [member.next() for member in members] == [f"line {number}"] * 12

    members.pop().close()
    members[0].do("say", "on")
    assert [member.next() for member in members] == ["on"] * 11


def test_a_channel_is_sent_to_from_any_worker(layered: PoolProcess, stack: ExitStack) -> None:
    members = members_of_each(layered, stack)
    for sender in members:
        for member in members:
            for number in range(10):
                sender.do("tell", member.channel, number)
            assert [member.next() for _ in range(10)] == [*range(10)]


def test_a_normal_channel_has_one_queue_for_all_workers(layered: PoolProcess, stack: ExitStack) -> None:
    """Each message is received once, whether its consumer waits before it is sent or comes later."""
    members = members_of_each(layered, stack)
    for number in range(10):
        for member in members:
            member.do("put", "tasks", f"{member.pid} {number}")
            assert member.next() == "put"
    for _ in range(10):
        for member in members:
            member.do("get", "tasks")
    received = [member.next() for _ in range(10) for member in members]
    assert sorted(received) == sorted(f"{member.pid} {number}" for member in members for number in range(10))

    for member in members[1:]:
        member.do("get", "tasks")
    for number in range(3):
        members[0].do("put", "tasks", number)
        assert members[0].next() == "put"
    assert {member.next() for member in members[1:]} == {0, 1, 2}


def test_channels_of_other_workers_are_added_to_groups(layered: PoolProcess, stack: ExitStack) -> None:
    one, other, *_ = members_of_each(layered, stack)
    one.do("add", "others", other.channel)
    assert one.next() == "added"
    # Until the other worker has joined, the group is its members of before.
    wait_until(lambda: one.do("send_to", "others", "hello") is None and other.has("hello"))
    one.do("discard", "others", other.channel)
    assert one.next() == "discarded"


def test_the_others_talk_on_when_a_worker_is_killed_and_at_a_reload(layered: PoolProcess, stack: ExitStack) -> None:
    members = members_of_each(layered, stack)
    os.kill(members.pop().pid, signal.SIGKILL)
    members[0].do("say", "who is there?")
    assert [member.next() for member in members] == ["who is there?"] * 3
    wait_until(lambda: len(layered.workers()) == 4)
    members += [member for member in members_of_each(layered, stack) if member.pid not in {it.pid for it in members}]
    members[-1].do("say", "me")
    assert members[0].next() == "me"

    assert corepool(layered, "reload").returncode == 0
    anew = members_of_each(layered, stack)
    anew[0].do("say", "anew")
    assert [member.next() for member in anew] == ["anew"] * 4
