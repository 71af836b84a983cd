"""The protocol for people: a line is said to the room, `/who`, `/join ROOM` and `/quit` are done.

Chatters write to each other's streams without waiting: `Stream.write` never does. Lines that a chatter does not read
are kept up to the listener's `output_limit`, and then that chatter is cut off.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import corepool
from corepool import Connection, Worker, hookimpl
from corepool.streams import Stream, StreamProtocol
from corepool_chat.hub import Hub
from corepool_chat.messages import Verb

if TYPE_CHECKING:
    import asyncio

    from corepool_chat.messages import Answer, Heard

_NAME = re.compile(r"\w{1,20}")
_LOBBY = "lobby"
_HELP = "/who: the people here. /join ROOM: go there. /quit: leave. Anything else is said."


@dataclass(slots=True)
class Chatter:
    """A person with a name."""

    name: str
    room: str
    stream: Stream

    def tell(self, text: str) -> None:
        """Show a line. Never waits."""
        self.stream.write(text.encode() + b"\n")


class Chat(StreamProtocol):
    """Talk with people, who are known by their names in all workers; the rooms decide who gets a name."""

    class Options(corepool.Options):
        """[listener.options] of protocol = "chat"."""

        rooms: str
        """Path of the socket on which the protocol chat-rooms listens."""

    input_limit: ClassVar[int] = 1024

    try_it = "nc {host} {port}"

    def __init__(self, options: Options) -> None:
        self._options = options
        self._chatters: dict[str, Chatter] = {}
        """The chatters of this worker, by name."""

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Connect to the rooms."""
        super().on_worker_start(worker)
        self._hub = Hub(self._options.rooms, self._enter_anew, self._pass_on)
        self._connection = worker.loop.create_task(self._hub.run())

    @hookimpl
    def on_worker_stop(self) -> None:
        """Let the handlers take their leave first."""
        super().on_worker_stop()
        self._connection.cancel()

    @hookimpl
    def on_drain(self, conn: Connection[Stream]) -> None:
        """Ask the person to connect again: the connection can't go on in another worker."""
        super().on_drain(conn)
        conn.send(b"* the server is replaced: please connect again\n")

    async def handle(self, stream: Stream) -> None:
        """Serve one person."""
        chatter = await self._welcome(stream)
        if chatter is None:
            return
        try:
            await self._converse(chatter)
        finally:
            if self._chatters.get(chatter.name) is chatter:  # its name has not been taken by another
                del self._chatters[chatter.name]
                self._hub.leave(chatter.name)

    async def _welcome(self, stream: Stream) -> Chatter | None:
        stream.write(b"Your name?\n")
        async for line in stream:
            name = _clean(line)
            if not _NAME.fullmatch(name):
                stream.write(b"A name has 1 to 20 letters or digits. Your name?\n")
                continue
            answer = await self._hub.ask(Verb.ENTER, name, _LOBBY)
            if answer.granted:
                chatter = self._chatters[name] = Chatter(name, _LOBBY, stream)
                chatter.tell(f"Welcome to the {_LOBBY}, {name}! {_HELP}")
                return chatter
            stream.write(b"Another person has that name. Your name?\n")
        return None

    async def _converse(self, chatter: Chatter) -> None:
        async for line in chatter.stream:
            text = _clean(line)
            command, _, argument = text.partition(" ")
            match command:
                case "":
                    pass
                case "/quit":
                    return
                case "/who":
                    who = await self._hub.ask(Verb.WHO, chatter.name)
                    chatter.tell(f"* in the {chatter.room}: {who.text}")
                case "/join" if _NAME.fullmatch(argument):
                    await self._hub.ask(Verb.MOVE, chatter.name, argument)
                    chatter.room = argument
                    chatter.tell(f"* this is the {argument}")
                case _ if command.startswith("/"):
                    chatter.tell(_HELP)
                case _:
                    await self._hub.ask(Verb.SAY, chatter.name, text)

    def _pass_on(self, heard: Heard) -> None:
        for chatter in self._chatters.values():
            if chatter.room == heard.room and chatter.name != heard.sender:
                chatter.tell(heard.text)

    def _enter_anew(self) -> None:
        """Enter the people of this worker again, in rooms that have just begun."""
        for chatter in self._chatters.values():
            answer = self._hub.post(Verb.ENTER, chatter.name, chatter.room)
            answer.add_done_callback(partial(self._on_entered_anew, chatter))

    def _on_entered_anew(self, chatter: Chatter, answer: asyncio.Future[Answer]) -> None:
        if answer.exception() is not None or answer.result().granted:
            return
        if self._chatters.get(chatter.name) is chatter:  # and has not left meanwhile
            del self._chatters[chatter.name]
            chatter.tell("* meanwhile another person has taken your name: please connect again")
            chatter.stream.close()


def _clean(line: bytes) -> str:
    """Return a line's text without the control characters that would play tricks on a terminal."""
    return "".join(character for character in line.decode(errors="replace") if character.isprintable()).strip()
