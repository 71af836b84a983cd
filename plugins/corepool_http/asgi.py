"""ASGI 3: http with back-pressure both ways, websocket, lifespan.

A request is a task of the worker's loop. On Python 3.12 and later it begins at once, inside the event that
brought it, and most of them end there: no turn of the loop is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

from corepool_http.responses import ResponseError
from corepool_http.waiting import Waiting
from corepool_http.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
    from typing import TypeAlias

    from corepool_http.exchange import Exchange
    from corepool_http.proxies import Client
    from corepool_http.requests import RequestLine
    from corepool_http.responses import Head, Heads
    from corepool_http.service import Service

    Message: TypeAlias = MutableMapping[str, Any]
    Application = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Coroutine[Any, Any, None]
    ]

log = logging.getLogger(__name__)

_VERSION = {"version": "3.0", "spec_version": "2.4"}

_SHUTDOWN_S = 10.0
"""How long an application may take to shut down."""


class Asgi:
    """Serves requests with an ASGI application."""

    def __init__(self, service: Service, application: Application) -> None:
        """Start the application's lifespan, if it has one.

        :raises LifespanError: it says that it can't start.
        """
        self._service = service
        self._application = application
        self._loop = service.worker.loop
        self._heads = service.heads
        self._root_path = service.options.root_path
        self._tasks: set[asyncio.Task[None]] = set()
        """Tasks that go on: the loop itself keeps no strong reference to them."""
        self._lifespan = Lifespan(application, self._loop)
        self._lifespan.start_up()
        self._state = self._lifespan.state
        # Eager tasks came with Python 3.12.
        self._eagerly: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}

    def serve(self, exchange: Exchange) -> None:
        if exchange.request.upgrade:
            exchange.session.conn.pinned = True
            socket = exchange.session.websocket = WebSocket(exchange, self._service.options, self._loop)
            scope = {
                **self._scope_of(exchange.client),
                **_scope_of_line(exchange.request.line),
                "type": "websocket",
                "http_version": exchange.request.version,
                "scheme": "wss" if exchange.client.scheme == "https" else "ws",
                "headers": exchange.request.section.headers,
                "subprotocols": socket.subprotocols,
                "extensions": {"websocket.http.response": {}},
            }
            if self._state is not None:
                scope["state"] = self._state.copy()
            task = asyncio.Task(socket.run(self._application, scope), loop=self._loop, **self._eagerly)
            if not task.done():
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        session, client, line = exchange.session, exchange.client, exchange.request.line
        base = session.prepared if client is session.client else None
        if base is None:
            base = self._scope_of(exchange.client)
            if client is session.client:
                session.prepared = base
        if line.prepared is None:
            line.prepared = {"method": line.method, **_scope_of_line(line)}
        scope = {
            **base,
            **line.prepared,
            "http_version": exchange.request.version,
            "headers": exchange.request.section.headers.copy(),  # applications may change theirs
            "extensions": {"http.response.pathsend": {}, "http.response.zerocopysend": {}},
        }
        if self._state is not None:
            scope["state"] = self._state.copy()
        cycle = Cycle(exchange, self._heads, self._loop, self._tasks)
        task = cycle.task = asyncio.Task(cycle.run(self._application, scope), loop=self._loop, **self._eagerly)
        if not task.done():
            self._tasks.add(task)

    def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._lifespan.shut_down()

    def _scope_of(self, client: Client) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": _VERSION,
            "scheme": client.scheme,
            "root_path": self._root_path,
            "client": (client.host, client.port) if client.host else None,
            "server": (client.server_host, client.server_port),
        }


def _scope_of_line(line: RequestLine) -> dict[str, Any]:
    return {
        "path": line.path.decode("utf-8", "replace"),
        "raw_path": line.raw_path,
        "query_string": line.query,
    }


class Cycle(Waiting):
    """One request of ASGI's http."""

    __slots__ = ("_body_is_over", "_exchange", "_head", "_heads", "_tasks", "task")

    def __init__(
        self, exchange: Exchange, heads: Heads, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]
    ) -> None:
        """Begin.

        :param tasks: `task` is removed from it at the end. (By a callback of the task it would take 1.5 us.)
        """
        self._loop = loop
        self._waiter = None
        self._tasks = tasks
        self.task: asyncio.Task[None] | None = None
        self._exchange = exchange
        self._heads = heads
        self._head: Head | None = None
        self._body_is_over = False
        exchange.on_gone = self._wake
        exchange.on_room = self._wake
        body = exchange.request.body
        if body is not None:
            body.on_change = self._wake

    async def run(self, application: Application, scope: Message) -> None:
        """Call the application, and see to it that there is a response."""
        exchange = self._exchange
        try:
            await application(scope, self.receive, self.send)
        except ResponseError as error:
            exchange.fail_badly(error)
        except asyncio.CancelledError:
            exchange.fail(503)
            raise
        except (Exception, SystemExit):  # which would end the loop
            log.exception("%s failed", exchange.describe())
            exchange.fail()
        else:
            body = exchange.request.body
            if body is not None and body.failed:
                exchange.fail(400)  # the client has ended, or sent what is no content
            elif not exchange.ended:
                log.error("%s: the application has returned without ending its response", exchange.describe())
                exchange.fail()
        finally:
            if self.task is not None:  # None: it has ended before it was known (eager start)
                self._tasks.discard(self.task)

    async def receive(self) -> Message:
        """Give the next part of the content, then http.disconnect when the client has gone."""
        exchange = self._exchange
        body = exchange.request.body
        if not self._body_is_over and not exchange.ended:
            if body is None:
                self._body_is_over = True
                return {"type": "http.request", "body": b"", "more_body": False}
            exchange.want_body()
            while not (body.pieces or body.complete or body.failed or exchange.ended):
                await self._wait()
            if body.pieces or (body.complete and not body.failed):
                data = body.take()
                self._body_is_over = body.complete
                if not body.complete:
                    exchange.session.body_was_taken()
                return {"type": "http.request", "body": data, "more_body": not body.complete}
        while not (exchange.ended or exchange.gone or exchange.conn.eof or (body is not None and body.failed)):
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the response; waits while the client doesn't read."""
        exchange = self._exchange
        kind = message["type"]
        if exchange.ended:
            return  # the client has gone: as the specification says, without effect
        if kind == "http.response.body":
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start":
            if self._head is not None or exchange.started:
                raise RuntimeError("http.response.start was sent twice")
            self._head = self._heads.of_bytes(message["status"], message.get("headers", ()))
            return
        elif kind == "http.response.pathsend":
            with open(message["path"], "rb") as file:  # noqa: ASYNC230, PTH123  # a local file, as in every server
                self._send_file(file, 0, file.seek(0, 2), more=False)
        elif kind == "http.response.zerocopysend":
            file = message["file"]
            offset = message.get("offset")
            if offset is None:
                offset = file.tell()
            count = message.get("count")
            if count is None:
                count = file.seek(0, 2) - offset
            self._send_file(file, offset, count, more=message.get("more_body", False))
        else:
            raise RuntimeError(f"{kind!r} is no message of a response")
        while exchange.conn.congested and not exchange.ended:
            await self._wait()

    def _send_body(self, data: bytes, *, more: bool) -> None:
        exchange = self._exchange
        head = self._head
        if not exchange.started:
            if head is None:
                raise RuntimeError("http.response.body was sent before http.response.start")
            if not more:
                exchange.send_whole(head, bytes(data))
                return
            exchange.start(head)
        exchange.write(bytes(data))
        if not more:
            exchange.finish()

    def _send_file(self, file: Any, offset: int, count: int, *, more: bool) -> None:
        exchange = self._exchange
        if not exchange.started:
            if self._head is None:
                raise RuntimeError("a file was sent before http.response.start")
            head = self._head
            if head.length is None and not more:
                head = head.with_length(count)
            exchange.start(head)
        exchange.send_file(file, offset, count)
        if not more:
            exchange.finish()


class LifespanError(Exception):
    """The application says that it can't start."""


class Lifespan:
    """The application's start and end in this worker."""

    def __init__(self, application: Application, loop: asyncio.AbstractEventLoop) -> None:
        self._application = application
        self._loop = loop
        self.state: dict[str, Any] | None = {}
        self._to_application: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start_up(self) -> None:
        """Start the application.

        :raises LifespanError: it has said that it can't, and why.
        """
        answer = self._loop.run_until_complete(self._begin())
        if answer is None:
            self._task = None
            self.state = None  # it knows nothing of lifespans
        elif answer["type"] == "lifespan.startup.failed":
            raise LifespanError(f"the application can't start: {answer.get('message') or 'it gave no reason'}")

    def shut_down(self) -> None:
        """End the application."""
        if self._task is None:
            return
        try:
            answer = self._loop.run_until_complete(asyncio.wait_for(self._ask("lifespan.shutdown"), _SHUTDOWN_S))
        except TimeoutError:
            log.error("the application did not shut down within %g s", _SHUTDOWN_S)  # noqa: TRY400
            return
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            log.error("the application failed to shut down: %s", answer.get("message") or "it gave no reason")

    async def _begin(self) -> Message | None:
        scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        self._task = asyncio.ensure_future(self._application(scope, self._to_application.get, self._answers.put))
        return await self._ask("lifespan.startup")

    async def _ask(self, kind: str) -> Message | None:
        """Send an event and wait for its answer; None when the application ends without one."""
        assert self._task is not None
        await self._to_application.put({"type": kind})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        error = self._task.exception()
        if error is not None:
            log.debug("the application ends its lifespan by an exception: it has none", exc_info=error)
        return None
