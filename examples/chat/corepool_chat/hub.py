"""A worker's connection to the rooms: it is there again when they are, and questions wait until then.

Each question has an answer, and each chatter asks one at a time: so no more of them can pile up than there are
chatters. One whose answer was lost, since the worker with the rooms was killed, is asked once more. So a line may be
heard twice, but its chatter is never told that it was said when it was not.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING

from corepool_chat.messages import MAX_MESSAGE, Answer, Heard, Request, Verb, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""Between attempts to connect. The master holds the socket while its worker is replaced, so they seldom fail."""


class Hub:
    """Asks the rooms, and receives the lines said in them."""

    def __init__(self, path: str, on_connect: Callable[[], None], on_heard: Callable[[Heard], None]) -> None:
        """Prepare; `run` connects.

        :param path: of their socket.
        :param on_connect: called at each connection, before any question is asked on it.
        :param on_heard: called with each line for the chatters of this worker.
        """
        self._path = path
        self._on_connect = on_connect
        self._on_heard = on_heard
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[Answer]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Be connected, until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_MESSAGE)
            except OSError as error:
                log.info("no rooms at %s: %s", self._path, error)
                await asyncio.sleep(_RETRY_S)
                continue
            self._writer = writer
            self._on_connect()
            self._connected.set()
            try:
                await self._read(reader)
            except (ConnectionError, ValueError) as error:  # ValueError: not a message
                log.warning("the rooms are gone: %s", error)
            finally:
                self._lost(writer)

    async def ask(self, verb: Verb, name: str, text: str = "") -> Answer:
        """Ask, and wait for the answer, and for the rooms while there are none."""
        while True:
            await self._connected.wait()
            try:
                return await self.post(verb, name, text)
            except ConnectionError:
                continue

    def post(self, verb: Verb, name: str, text: str = "") -> asyncio.Future[Answer]:
        """Ask now.

        :returns: the answer to come, or ConnectionError.
        """
        assert self._writer is not None
        request = Request(next(self._numbers), verb, name, text)
        answer = self._answers[request.number] = asyncio.get_running_loop().create_future()
        self._writer.write(encode(request))
        return answer

    def leave(self, name: str) -> None:
        """Remove a person. Rooms that have just died have forgotten all of them anyway."""
        if self._writer is not None:
            self.post(Verb.LEAVE, name)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            match decode(line):
                case Answer() as answer:
                    asked = self._answers.pop(answer.number)
                    if not asked.done():
                        asked.set_result(answer)
                        # The asking chatter goes on first: the next line may be for the room that it has just entered.
                        await asyncio.sleep(0)
                case Heard() as heard:
                    self._on_heard(heard)

    def _lost(self, writer: asyncio.StreamWriter) -> None:
        self._connected.clear()
        self._writer = None
        writer.close()
        unanswered, self._answers = self._answers, {}
        for answer in unanswered.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the rooms are gone"))
                answer.exception()  # or asyncio logs it as never retrieved, if the asking chatter is gone
