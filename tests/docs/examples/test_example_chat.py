"""The chat: rooms that span workers, through reloads and crashes, in which no person waits for another."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator

    from example_folders import Start

    from corepool.testing.pool import PoolProcess
    from corepool.testing.status import WorkerStatus


class Person:
    """A person with a terminal."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._lines = client.makefile("rb")
        self.name = ""

    def type(self, line: str) -> None:
        self._client.sendall(line.encode() + b"\n")

    def see(self) -> str:
        """Return the next line; "" when the server has closed."""
        return self._lines.readline().decode().rstrip("\n")

    def see_until(self, beginning: str) -> str:
        while line := self.see():
            if line.startswith(beginning):
                return line
        raise AssertionError(f"the server hung up before {beginning!r}")

    def enter(self, name: str) -> str:
        assert self.see() == "Your name?"
        return self.try_name(name)

    def try_name(self, name: str) -> str:
        self.name = name
        self.type(name)
        return self.see()

    def who(self) -> list[str]:
        self.type("/who")
        return self.see_until("* in the ").partition(": ")[2].split(", ")

    def see_line_of(self, people: Iterable[Person]) -> str:
        """Return the next line that one of them has said."""
        names = tuple(f"{person.name}: " for person in people)
        while line := self.see():
            if line.startswith(names):
                return line
        raise AssertionError(f"the server hung up before {names}")

    def see_the_end(self) -> None:
        """Wait until the server has hung up; the socket has a time-out."""
        with suppress(ConnectionResetError):
            while self._lines.read(65_536):
                pass

    def leave(self) -> None:
        self._lines.close()
        self._client.close()


class Chat:
    """The server, and those who come."""

    def __init__(self, running: PoolProcess, stack: ExitStack) -> None:
        self.running = running
        self._stack = stack

    def connect(self) -> Person:
        person = Person(self.running.connect("chat"))
        self._stack.callback(person.leave)
        return person

    def person(self, name: str) -> Person:
        person = self.connect()
        if not person.enter(name).startswith("Welcome"):
            # A member that has just been cut off has not left everywhere at once.
            wait_until(lambda: person.try_name(name).startswith("Welcome"))
        return person

    def two_in_different_workers(self) -> tuple[Person, Person]:
        """The worker with the fewest connections gets the next one."""
        people = self.person("ada"), self.person("bob")
        assert [worker["connections"] for worker in self.workers()] == [1, 1]
        people[0].see_until("* bob is here")
        return people

    def workers(self) -> list[WorkerStatus]:
        return [worker for worker in self.running.status()["workers"] if worker["state"] == "ready"]

    def kill(self, index: int) -> None:
        os.kill(self.workers()[index]["pid"], signal.SIGKILL)


@pytest.fixture
def chat(start: Start) -> Iterator[Chat]:
    with ExitStack() as stack:
        yield Chat(start("chat"), stack)


def test_a_line_reaches_all_people_in_the_room_in_whichever_worker(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()

    ada.type("hello")
    bob.type("hi")

    assert bob.see() == "ada: hello"
    assert ada.see() == "bob: hi"


def test_rooms_are_apart_and_the_command_who_lists_their_people(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()
    assert ada.who() == bob.who() == ["ada", "bob"]

    bob.type("/join kitchen")

    assert ada.see() == "* bob has left"
    assert bob.see() == "* this is the kitchen"
    bob.type("nobody hears that")
    assert bob.who() == ["bob"]
    assert ada.who() == ["ada"]


def test_all_people_see_the_same_lines_in_the_same_order(chat: Chat) -> None:
    speakers = chat.two_in_different_workers()
    listeners = chat.person("eve"), chat.person("joe")

    for number in range(50):
        for person in speakers:
            person.type(f"line {number}")

    heard = [[person.see_line_of(speakers) for _ in range(100)] for person in listeners]
    assert heard[0] == heard[1]


def test_a_person_who_changes_rooms_sees_only_the_lines_of_the_present_one(chat: Chat) -> None:
    """Compared with the lines that a member of the whole time has seen, down to the line before and the line after."""
    ada, bob = chat.two_in_different_workers()
    joe, *speakers = (chat.person(name) for name in ("joe", "speaker1", "speaker2", "speaker3", "speaker4"))
    for person in (bob, joe, *speakers):
        person.type("/join kitchen")
        person.see_until("* this is the kitchen")

    heard: list[str] = []
    for number in range(100):
        ada.type("/join kitchen")
        for person in speakers:
            person.type(f"line {number}")
        ada.see_until("* this is the kitchen")
        ada.type("/join lobby")
        while not (line := ada.see()).startswith("* this is"):
            heard.append(line)
    ada.type("/join kitchen")
    ada.see_until("* this is the kitchen")
    bob.type("that is all")
    assert ada.see_line_of([bob])

    heard_by_joe: list[str] = []
    is_there = False
    while (line := joe.see()) != "bob: that is all":
        if line.startswith("* ada"):
            is_there = line == "* ada is here"
        elif is_there:
            heard_by_joe.append(line)
    assert heard == heard_by_joe[: len(heard)]
    assert heard


def test_a_name_is_one_persons_in_all_workers_until_they_leave(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()
    for _ in range(2):
        assert chat.connect().enter("ada").startswith("Another person")

    ada.type("/quit")

    assert ada.see() == ""
    assert bob.see() == "* ada has left"
    chat.person("ada")


def test_who_hangs_up_has_left(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()

    ada.leave()

    assert bob.see() == "* ada has left"


def test_a_person_who_does_not_read_is_cut_off_and_no_other_waits(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()
    sleepers = [chat.person(f"sleeper{number}") for number in range(2)]
    for person in (ada, bob):
        person.see_until("* sleeper1 is here")

    said = 0
    while ada.who() != ["ada", "bob"]:
        for _ in range(200):
            said += 1
            ada.type(f"{said} " + "x" * 500)
            assert bob.see_line_of([ada]).startswith(f"ada: {said} ")
        assert said < 50_000, "25 MB wait for somebody who does not read"

    for sleeper in sleepers:
        sleeper.see_the_end()


def test_escape_sequences_do_not_reach_other_peoples_terminals(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()

    ada.type("\x1b[2Jboo\x07 \u00fc")

    assert bob.see() == "ada: [2Jboo \u00fc"


def test_a_line_too_long_costs_its_own_connection_only(chat: Chat) -> None:
    ada, bob = chat.two_in_different_workers()

    ada.type("x" * 10_000)

    assert bob.see() == "* ada has left"


def test_at_a_reload_people_are_told_and_the_rooms_are_there_again(chat: Chat) -> None:
    people = chat.two_in_different_workers()

    assert chat.running.request("reload")["ok"]

    for person in people:
        assert person.see_until("* the server").endswith("please connect again")
        person.see_the_end()
    ada, bob = chat.two_in_different_workers()
    ada.type("still there?")
    assert bob.see() == "ada: still there?"
    assert bob.who() == ["ada", "bob"]


@pytest.mark.parametrize("victim", [0, 1])  # one of them is the worker that passes on the events
def test_when_a_worker_is_killed_its_own_people_have_left_and_the_others_talk_on(chat: Chat, victim: int) -> None:
    pairs = list(zip(chat.two_in_different_workers(), (chat.person("eve"), chat.person("joe")), strict=True))
    cut_off, (one, other) = pairs[victim], pairs[1 - victim]
    one.see_until("* joe is here") if victim == 0 else other.see_until("* joe is here")

    chat.kill(victim)
    other.type("what was that?")  # it waits for an order

    assert one.see_line_of([other]) == f"{other.name}: what was that?"
    wait_until(lambda: one.who() == sorted([one.name, other.name]))
    for person in cut_off:
        person.see_the_end()
    wait_until(lambda: len(chat.workers()) == 2)
    again = chat.person(cut_off[0].name)
    assert one.see_until(f"* {again.name}") in (f"* {again.name} has left", f"* {again.name} is here")
    wait_until(lambda: again.who() == one.who() == sorted([one.name, other.name, again.name]))
    assert chat.connect().enter(one.name).startswith("Another person")


def test_netcat_is_a_client(chat: Chat) -> None:
    url = urlsplit(chat.running.urls("chat")[0])
    command = ["nc", "-N", str(url.hostname), str(url.port)]

    done = subprocess.run(command, input=b"ada\n/who\n/quit\n", stdout=subprocess.PIPE, check=True, timeout=300)  # noqa: S603

    assert done.stdout.decode().splitlines()[-1] == "* in the lobby: ada"
