"""The protocol for people: a line is said to the room, `/who`, `/join ROOM` and `/quit` are done.

Every worker knows the people of all, from the same events in the same order. Chatters write to each other's streams
without waiting: `Stream.write` never does. Lines that a chatter does not read are kept up to the listener's
`output_limit`, and then that chatter is cut off.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from corepool import Connection, Worker, hookimpl
from corepool.streams import Stream, StreamProtocol
from corepool_chat.order import Event, Order

if TYPE_CHECKING:
    import asyncio

_NAME = re.compile(r"\w{1,20}")
_LOBBY = "lobby"
_HELP = "/who: the people here. /join ROOM: go there. /quit: leave. Anything else is said."


class Person(NamedTuple):
    """A person, in whichever worker."""

    key: str
    room: str


class Chat(StreamProtocol):
    """Talk with people, who are known by their names in all workers."""

    input_limit: ClassVar[int] = 1024

    try_it = "nc {host} {port}"

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._streams: dict[str, Stream] = {}
        """Those of the people of this worker, by key."""

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Meet the people of the other workers."""
        super().on_worker_start(worker)
        self._names = worker.semaphores("chat.names")
        self._order = Order(worker, self._on_event, self._forget_the_dead)
        self._meeting: asyncio.Task[None] = worker.loop.create_task(self._order.send(Event("meet", "")))

    @hookimpl
    def on_worker_stop(self) -> None:
        """Let the handlers take their leave first."""
        super().on_worker_stop()
        self._meeting.cancel()
        self._order.close()

    @hookimpl
    def on_drain(self, conn: Connection[Stream]) -> None:
        """Ask the person to connect again: the connection can't go on in another worker."""
        super().on_drain(conn)
        conn.send(b"* the server is replaced: please connect again\n")

    async def handle(self, stream: Stream) -> None:
        """Serve one person."""
        stream.write(b"Your name?\n")
        async for line in stream:
            name = _clean(line)
            if not _NAME.fullmatch(name):
                stream.write(b"A name has 1 to 20 letters or digits. Your name?\n")
            elif (hold := self._names.acquire(name, 1)) is None:
                stream.write(b"Another person has that name. Your name?\n")
            else:
                key = secrets.token_hex(8)
                self._streams[key] = stream
                try:
                    await self._order.send(Event("enter", key, name, _LOBBY))
                    await self._converse(stream, key, name)
                finally:
                    del self._streams[key]
                    self._order.post(Event("leave", key, name))
                    hold.release()
                return

    async def _converse(self, stream: Stream, key: str, name: str) -> None:
        async for line in stream:
            text = _clean(line)
            command, _, argument = text.partition(" ")
            match command:
                case "":
                    pass
                case "/quit":
                    return
                case "/who" if name in self._people:
                    room = self._people[name].room
                    names = sorted(each for each, person in self._people.items() if person.room == room)
                    _tell(stream, f"* in the {room}: {', '.join(names)}")
                case "/join" if _NAME.fullmatch(argument):
                    await self._order.send(Event("move", key, name, argument))
                case _ if command.startswith("/"):
                    _tell(stream, _HELP)
                case _:
                    await self._order.send(Event("say", key, name, text))

    def _on_event(self, event: Event) -> None:
        verb, key, name, text = event
        person = self._people.get(name)
        if verb == "meet":
            for each, its in self._people.items():
                if its.key in self._streams:
                    self._order.post(Event("present", its.key, each, its.room))
        elif verb == "present":
            self._people[name] = Person(key, text)
        elif verb == "enter" or (person is not None and person.key == key):  # else it has gone
            if person is not None and verb != "say":
                del self._people[name]
                self._tell_room(person.room, key, f"* {name} has left")
            if verb in ("enter", "move"):
                self._tell_room(text, key, f"* {name} is here")
                self._people[name] = Person(key, text)
                if key in self._streams:
                    welcome = f"Welcome to the {text}, {name}! {_HELP}"
                    _tell(self._streams[key], welcome if verb == "enter" else f"* this is the {text}")
            elif verb == "say" and person is not None:
                self._tell_room(person.room, key, f"{name}: {text}")

    def _tell_room(self, room: str, but: str, text: str) -> None:
        for person in self._people.values():
            if person.room == room and person.key in self._streams and person.key != but:
                _tell(self._streams[person.key], text)

    def _forget_the_dead(self) -> None:
        """Have those leave whose worker was killed: its holds of their names have ended with it."""
        for name, person in self._people.items():
            if person.key not in self._streams and not self._names.held(name):
                self._order.post(Event("leave", person.key, name))


def _tell(stream: Stream, text: str) -> None:
    stream.write(text.encode() + b"\n")


def _clean(line: bytes) -> str:
    """Return a line's text without the control characters that would play tricks on a terminal."""
    return "".join(character for character in line.decode(errors="replace") if character.isprintable()).strip()
