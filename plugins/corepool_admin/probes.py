"""The application behind `admin`: each request is a question to a master."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from corepool_admin import events
from corepool_admin.metrics import exposition
from corepool_admin.question import Questions

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from corepool_http import Exchange, Service

log = logging.getLogger(__name__)

_TEXT = "text/plain; charset=utf-8"
_PATHS = (b"/livez", b"/readyz", b"/status", b"/metrics")


class Answer(NamedTuple):
    """A response."""

    status: str
    content: bytes
    media_type: str = _TEXT


class Probes:
    """Answers for one master. Read-only: no request changes anything."""

    serves_websockets = False

    def __init__(self, service: Service, *, control: str | None, timeout_s: float, min_ready: int) -> None:
        """Prepare to ask.

        :param control: the control socket of another master; None: that of the worker's own.
        """
        self._heads = service.heads
        self._worker = service.worker
        self._questions = Questions(service.worker, control, timeout_s)
        self._min_ready = min_ready
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, exchange: Exchange) -> None:
        line, body = exchange.request.line, exchange.request.body
        if body is not None:
            exchange.closes = True  # its content is not read
            self._respond(exchange, Answer("400 Bad Request", b"bad request\n"))
        elif line.method not in {"GET", "HEAD"}:
            self._respond(exchange, Answer("405 Method Not Allowed", b"GET and HEAD are answered\n"))
        elif line.path not in _PATHS:
            self._respond(exchange, Answer("404 Not Found", b"try /livez, /readyz, /status or /metrics\n"))
        else:
            # One for each connection at most: the next request on it waits for this response.
            task = self._worker.loop.create_task(self._serve(exchange))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Hold nothing: a question ends within its timeout."""

    async def _serve(self, exchange: Exchange) -> None:
        try:
            answer = await self._answer(exchange.request.line.path)
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            # A master of another version, which `control` may name, has another status.
            events.admin_request_failed.exception(log, error, request=exchange.describe())
            answer = Answer("500 Internal Server Error", b"internal error; the log of corepool has more\n")
        self._respond(exchange, answer)

    async def _answer(self, path: bytes) -> Answer:
        try:
            status = await self._questions.status()
        except TimeoutError:
            line = f"the master does not answer within {self._questions.timeout_s:g} s\n"
            return Answer("503 Service Unavailable", line.encode())
        except (OSError, ValueError) as error:
            return Answer("503 Service Unavailable", f"the master does not answer: {error}\n".encode())
        if path == b"/livez":
            return Answer("200 OK", b"ok\n")
        if path == b"/readyz":
            return self._readiness(status)
        if path == b"/status":
            return Answer("200 OK", json.dumps(status).encode(), "application/json")
        media_type, text = exposition(status)
        return Answer("200 OK", text, media_type)

    def _readiness(self, status: Mapping[str, Any]) -> Answer:
        own = self._questions.own_pool(status)
        ready = sum(worker["state"] == "ready" for worker in status["workers"] if worker["pool"] != own)
        wanted = sum(pool["wanted"] for pool in status["pools"] if pool["name"] != own)
        is_ready = status["state"] == "ready" and ready >= self._min_ready
        line = f"{status['state']}: {ready} of {wanted} workers are ready\n".encode()
        return Answer("200 OK" if is_ready else "503 Service Unavailable", line)

    def _respond(self, exchange: Exchange, answer: Answer) -> None:
        headers = [("Content-Type", answer.media_type), ("Cache-Control", "no-store")]
        if answer.status.startswith("405"):
            headers.append(("Allow", "GET, HEAD"))
        exchange.respond(self._heads.of_text(answer.status, headers), answer.content)
