"""The protocol between workers: the people in each room, and all lines said there in one order.

Its pool has one worker, so a dictionary is all it needs to give each name to one person only. Its clients are the
workers that talk with people, a connection each. If this worker dies, they come to its replacement and enter their
chatters again: the rooms keep nothing that the workers don't know.
"""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from corepool import Connection, hookimpl
from corepool.streams import Stream, StreamProtocol
from corepool_chat.messages import MAX_MESSAGE, Answer, Heard, Request, Verb, decode, encode


class Rooms(StreamProtocol):
    """Answer requests, and pass on lines. It never waits for a worker that does not read: see output_limit."""

    input_limit: ClassVar[int] = MAX_MESSAGE

    def __init__(self) -> None:
        self._room_of: dict[str, str] = {}
        self._rooms: defaultdict[str, dict[str, Stream]] = defaultdict(dict)
        """In each room the names, and the worker of each."""

    async def handle(self, stream: Stream) -> None:
        """Serve a worker; when it has gone, its chatters have, too."""
        try:
            async for line in stream:
                request = decode(line)
                if isinstance(request, Request):
                    stream.write(encode(self._answer(request, stream)))
        finally:
            self._forget(stream)

    @hookimpl
    def on_drain(self, conn: Connection[Stream]) -> None:
        """Send every worker to the replacement in the same moment, or some would speak here and others there."""
        super().on_drain(conn)
        conn.close()

    def _answer(self, request: Request, worker: Stream) -> Answer:
        name, text = request.name, request.text
        is_here = name in self._room_of
        match request.verb:
            case Verb.ENTER:
                if not is_here:
                    self._enter(name, text, worker)
                return Answer(request.number, not is_here)
            case Verb.MOVE if is_here:
                self._leave(name)
                self._enter(name, text, worker)
            case Verb.SAY if is_here:
                self._tell(self._room_of[name], name, f"{name}: {text}")
            case Verb.WHO if is_here:
                names = ", ".join(sorted(self._rooms[self._room_of[name]]))
                return Answer(request.number, granted=True, text=names[: MAX_MESSAGE // 16])
            case Verb.LEAVE if is_here:
                self._leave(name)
        return Answer(request.number, granted=is_here)

    def _enter(self, name: str, room: str, worker: Stream) -> None:
        self._room_of[name] = room
        self._rooms[room][name] = worker
        self._tell(room, name, f"* {name} is here")

    def _leave(self, name: str) -> None:
        room = self._room_of.pop(name)
        del self._rooms[room][name]
        self._tell(room, name, f"* {name} has left")
        if not self._rooms[room]:
            del self._rooms[room]

    def _tell(self, room: str, sender: str, text: str) -> None:
        """Send a line to each worker with people in the room; once, whatever their number."""
        message = encode(Heard(room, sender, text))
        for worker in set(self._rooms[room].values()):
            worker.write(message)

    def _forget(self, worker: Stream) -> None:
        gone = [name for members in self._rooms.values() for name, its in members.items() if its is worker]
        for name in gone:
            self._leave(name)
