"""One request of ASGI's http, with back-pressure both ways."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING

from corepool_http import events
from corepool_http.apps.asgi_messages import (
    bytes_of,
    file_of,
    head_of,
    head_with_trailers,
    int_of,
    is_departure,
    type_of,
)
from corepool_http.apps.asgi_tasks import log_failure
from corepool_http.apps.waiting import CALLS_PER_ROUND, Waiting
from corepool_http.exchange import CLIENT_GONE, ClientDisconnectedError
from corepool_http.fields import add_trailers, link_lines, takes_trailers
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from corepool_http.apps.asgi_messages import Application, Message
    from corepool_http.apps.asgi_tasks import Tasks
    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.message import Fields
    from corepool_http.responses import Heads

log = logging.getLogger(__name__)

_MAX_IGNORED = 64
"""Messages to a client that has left, before send() raises.

ASGI before 2.4 ignores them, and applications that are told by receive() end their response meanwhile. One that is
paced by send() alone has no other way to learn it, and would produce for ever. 64 are enough for the end of a
response, and for a task that waits in receive() to cancel the one that sends.
"""

_TOO_LATE = "content was sent behind the last http.response.body: only http.response.trailers may follow"
_NO_TRAILERS = (
    "http.response.trailers was sent before the last http.response.body, or http.response.start had no 'trailers': True"
)


class Cycle(Waiting):
    """Calls the application for one request."""

    __slots__ = (
        "_body_is_over",
        "_exchange",
        "_head",
        "_heads",
        "_ignored",
        "_is_complete",
        "_only_trailers_follow",
        "_tasks",
        "_trailers",
        "_was_told",
        "task",
    )

    def begin(self, exchange: Exchange, heads: Heads, tasks: Tasks) -> None:
        """Prepare to call the application. Machine code has left out `__init__`: its fields are zero."""
        self._tasks = tasks
        self.task: asyncio.Task[None] | None = None
        """None: it has ended before it was known (eager start)."""
        self._exchange = exchange
        self._heads = heads
        self._head: Head | None = None
        self._body_is_over = False
        self._ignored = 0
        self._trailers: Fields | None = None
        """Those that were sent already, of a response that has trailers; None: it has none."""
        self._only_trailers_follow = False
        self._is_complete = False
        """The application has ended its response. The exchange's end may have come from elsewhere."""
        self._was_told = False
        """The application knows that the client has gone before that."""
        body = exchange.request.body
        if body is not None:
            body.on_change = self._wake

    async def run(self, application: Application, scope: Message) -> None:
        """Call the application, and make sure of a response."""
        try:
            await application(scope, self.receive, self.send)
        except BaseException as error:  # one request is all that it costs
            if self.failed(error):
                raise
        else:
            if not self._exchange.ended:
                self.returned()
        finally:
            if self.task is not None:
                self._tasks.end(self.task)
            self.let_go()

    # --- how the application ends

    def returned(self) -> None:
        """Make sure of a response: the application has ended, and the exchange has not."""
        exchange = self._exchange
        body = exchange.request.body
        if body is not None and body.failed:
            exchange.refuse_content()
        elif self._was_told:
            exchange.status = exchange.status or CLIENT_GONE
            exchange.abandon()  # the client does not wait for the rest
        else:
            events.response_missing(log, request=exchange.describe())
            exchange.fail()

    def failed(self, error: BaseException) -> bool:
        """Answer for an application that has ended with an exception; True: that has to end its task, too."""
        self._exchange.call(partial(self._on_error, error))  # it may not let itself be looked at
        return self._tasks.is_closing and isinstance(error, asyncio.CancelledError)

    def let_go(self) -> None:
        """Let go of the exchange: the response has ended, and so has each wait for it.

        The garbage collector would have to find the cycle.
        """
        exchange = self._exchange
        exchange.on_gone = exchange.on_room = None
        if exchange.request.body is not None:
            exchange.request.body.on_change = None

    def _on_error(self, error: BaseException) -> None:
        exchange = self._exchange
        if self._tasks.is_closing and isinstance(error, asyncio.CancelledError | GeneratorExit):
            exchange.fail(503)
            return
        log_failure(exchange, error, client_has_left=self._was_told)
        body = exchange.request.body
        if body is not None and body.failed and is_departure(error):
            exchange.refuse_content()
        else:
            exchange.fail()

    # --- the application's side

    async def receive(self) -> Message:
        """Return the next part of the content, then http.disconnect when the client has gone."""
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()
        message = self.part()
        return await self.next_part() if message is None else message

    def part(self) -> Message | None:
        """Return a message of `receive` that is at hand."""
        exchange = self._exchange
        body = exchange.request.body
        if not self._body_is_over and not exchange.ended:
            if body is None:
                self._body_is_over = True
                return {"type": "http.request", "body": b"", "more_body": False}
            if body.pieces or (body.complete and not body.failed):
                data = body.take()
                self._body_is_over = body.complete
                if not body.complete:
                    exchange.want_body()
                elif body.trailers is not None:
                    return {"type": "http.request", "body": data, "more_body": False, "trailers": body.trailers}
                return {"type": "http.request", "body": data, "more_body": not body.complete}
            if not body.failed:
                return None
        if not (exchange.ended or exchange.is_half_closed or (body is not None and body.failed)):
            return None
        if not self._is_complete:
            self._was_told = True
        return {"type": "http.disconnect"}

    async def next_part(self) -> Message:
        """Wait for a message of `receive`: none is at hand."""
        if not self._body_is_over:
            self._exchange.want_body()
        while (message := self.part()) is None:
            await self._wait()
        return message

    async def send(self, message: Message) -> None:
        """Take a part of the response; waits while the client doesn't read, and ignores it when the client has left.

        :raises ClientDisconnectedError: too many have been ignored.
        :raises ResponseError: the message can't be sent.
        :raises RuntimeError: it is not this message's turn.
        """
        self._calls += 1
        if self._calls >= CALLS_PER_ROUND:
            await self._take_turn()
        exchange = self._exchange
        if self._waiter is not None:  # as another task of the application does
            await self.room()
        if exchange.ended:
            await self._ignore(type_of(message))
        elif self.take(message) and not exchange.ended and exchange.congested:
            await self.room()

    async def room(self) -> None:
        """Wait until the client has read."""
        exchange = self._exchange
        while not exchange.ended and exchange.congested:
            await self._wait()

    def take(self, message: Message) -> bool:
        """Take a message of `send`; True: it was sent. The response has not ended.

        :raises ResponseError: the message can't be sent.
        :raises RuntimeError: it is not this message's turn.
        """
        exchange = self._exchange
        try:
            kind = message["type"]
        except (LookupError, TypeError):
            kind = type_of(message)  # which says why not
        if kind == "http.response.body":
            data = message.get("body", b"")
            self.take_body(data if type(data) is bytes else bytes_of(message, "body"), message.get("more_body"))
        elif kind == "http.response.start":
            self.take_start(message)
            return False
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            self._send_file(message)
        elif kind == "http.response.trailers":
            self._send_trailers(message)
        elif kind == "http.response.early_hint":
            exchange.hint(link_lines(message.get("links")))
        else:
            raise RuntimeError(f"{kind!r} is no message of an HTTP response")
        return True

    def _expect_to_be_woken(self) -> None:
        # Only now: most requests never wait, and to be called at the end of each would cost them a twentieth.
        self._exchange.on_gone = self._exchange.on_room = self._wake

    async def _ignore(self, kind: str) -> None:
        """Let the others have their turn each time: an application may catch the exception, and go on."""
        if self._is_complete:
            raise RuntimeError(f"{kind} was sent after the response was complete")
        await asyncio.sleep(0)
        self._ignored += 1
        if self._ignored > _MAX_IGNORED:
            self._was_told = True
            raise ClientDisconnectedError("the client has disconnected")

    def take_start(self, message: Message) -> None:
        """Take the beginning of a response; it leaves with the content."""
        exchange = self._exchange
        if self._head is not None or exchange.started:
            raise RuntimeError("http.response.start was sent twice")
        if message.get("trailers"):
            self._trailers = []
            takes = takes_trailers(exchange.request)
            self._head = head_with_trailers(message, self._heads, announced=takes)
        else:
            self._head = head_of(message, self._heads)

    def take_body(self, data: bytes, more: object) -> None:
        """Take a part of the content.

        :param more: True, or its like: other parts follow.
        """
        exchange = self._exchange
        if not exchange.started:
            head = self._head
            if head is None:
                raise RuntimeError("http.response.body was sent before http.response.start")
            if not more and self._trailers is None:
                self._is_complete = True
                exchange.respond(head, data)
                return
            exchange.start(head)
        elif self._only_trailers_follow:
            raise RuntimeError(_TOO_LATE)
        exchange.write(data)
        if not more:
            self._finish()

    def _send_file(self, message: Message) -> None:
        exchange, head = self._exchange, self._head
        if head is None:
            raise RuntimeError(f"{message['type']} was sent before http.response.start")
        if self._only_trailers_follow:
            raise RuntimeError(_TOO_LATE)
        fd, is_ours = file_of(message)
        try:
            begin, count = (0, os.fstat(fd).st_size) if is_ours else _part_of(message, fd)
            more = not is_ours and bool(message.get("more_body"))
            if not exchange.started:
                if head.length is None and not more and self._trailers is None:
                    head = head.with_length(count)
                exchange.start(head)
            if count:  # an empty chunk would end the content
                exchange.send_file(fd, begin, count)
        finally:
            if is_ours:
                os.close(fd)
        if not more:
            self._finish()

    def _send_trailers(self, message: Message) -> None:
        trailers = self._trailers
        if trailers is None or not self._only_trailers_follow:
            raise RuntimeError(_NO_TRAILERS)
        add_trailers(trailers, message.get("headers"))
        if not message.get("more_trailers"):
            self._is_complete = True
            self._exchange.finish(trailers)

    def _finish(self) -> None:
        """End the content, and the response, unless trailers follow."""
        if self._trailers is not None:
            self._only_trailers_follow = True
            return
        self._is_complete = True
        self._exchange.finish()


def _part_of(message: Message, fd: int) -> tuple[int, int]:
    """Return where a zerocopysend begins, and how many bytes of the file it has from there.

    Without `offset` it begins at the file's position, which moves on, as sendfile(2) has it.
    """
    file = message["file"]
    offset, count = int_of(message, "offset"), int_of(message, "count")
    if (offset is not None and offset < 0) or (count is not None and count < 0):
        raise ResponseError(f"http.response.zerocopysend has offset {offset} and count {count}: neither is negative")
    begin = offset
    if begin is None:
        begin = os.lseek(fd, 0, os.SEEK_CUR) if isinstance(file, int) else file.tell()
    there = max(0, os.fstat(fd).st_size - begin)
    count = there if count is None else min(count, there)
    if offset is None and isinstance(file, int):
        os.lseek(fd, begin + count, os.SEEK_SET)
    elif offset is None:
        file.seek(begin + count)
    return begin, count
