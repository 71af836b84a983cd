"""The protocol `admin`: probes and metrics of a pool over HTTP, for load balancers, Kubernetes and Prometheus.

It asks the master, so the answer does not depend on the workers that it reports on. To answer while every one of those
is blocked, it must itself run elsewhere: in a [[pool]] of its own, with one worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

import corepool
from corepool import Duration, hookimpl
from corepool_admin.metrics import exposition
from corepool_admin.question import ask
from corepool_admin.requests import RequestReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool import Connection, Worker

log = logging.getLogger(__name__)

_IDLE_S = 30.0
_TEXT = "text/plain; charset=utf-8"


class Admin:
    """Answer /livez, /readyz, /status and /metrics."""

    try_it = "curl http://{host}:{port}/status"

    class Options(corepool.Options):
        """Which pool, and how patient."""

        control: Annotated[str, Field(min_length=1)] | None = None
        """Path of the control socket of another master to report on; unset: its own."""

        timeout: Annotated[Duration, Field(le=60)] = 1.0
        """After how long a master that doesn't answer is taken for dead; a minute at most."""

        min_ready: Annotated[int, Field(ge=1)] = 1
        """Workers that must be ready for /readyz. Those of its own pool don't count if there are other pools."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._loop = worker.loop
        self._worker = worker

    @hookimpl
    def on_accept(self, conn: Connection[RequestReader]) -> None:
        conn.session = RequestReader()
        conn.deadline(_IDLE_S)

    @hookimpl
    def on_readable(self, conn: Connection[RequestReader]) -> None:
        reader = conn.session
        reader.feed(conn.recv())
        if reader.is_wrong:
            conn.send(_response("400 Bad Request", _TEXT, b"bad request\n", closes=True))
            conn.close()
        elif not conn.busy:
            self._serve_next(conn)

    def _serve_next(self, conn: Connection[RequestReader]) -> None:
        request = conn.session.take()
        if request is None or conn.closed:
            return
        conn.busy = True
        conn.deadline(_IDLE_S)
        task = self._loop.create_task(self._serve(conn, *request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, conn: Connection[RequestReader], method: str, path: str, keeps: bool) -> None:  # noqa: FBT001
        try:
            status, kind, content = await self._answer(method, path)
        except Exception:
            # A master of another version, which `control` may name, has another status.
            log.exception("%s failed", path)
            status, kind, content = (
                "500 Internal Server Error",
                _TEXT,
                b"internal error; the log of corepool has more\n",
            )
        conn.send(_response(status, kind, content, closes=not keeps, bodyless=method == "HEAD"))
        conn.busy = False
        if not keeps:
            conn.close()
        elif not conn.closed:
            self._serve_next(conn)

    async def _answer(self, method: str, path: str) -> tuple[str, str, bytes]:
        if method not in {"GET", "HEAD"}:
            return "405 Method Not Allowed", _TEXT, b"GET and HEAD are answered\n"
        if path not in {"/livez", "/readyz", "/status", "/metrics"}:
            return "404 Not Found", _TEXT, b"try /livez, /readyz, /status or /metrics\n"
        try:
            told = await asyncio.wait_for(self._ask(), self._options.timeout)
        except TimeoutError:
            line = f"the master does not answer within {self._options.timeout:g} s\n"
            return "503 Service Unavailable", _TEXT, line.encode()
        except (OSError, ValueError) as error:
            return "503 Service Unavailable", _TEXT, f"the master does not answer: {error}\n".encode()
        if path == "/livez":
            return "200 OK", _TEXT, b"ok\n"
        if path == "/readyz":
            return self._readiness(told)
        if path == "/status":
            return "200 OK", "application/json", json.dumps(told).encode()
        return "200 OK", *exposition(told)

    async def _ask(self) -> Mapping[str, Any]:
        control = self._options.control
        return await (self._worker.status() if control is None else ask(Path(control)))

    def _readiness(self, told: Mapping[str, Any]) -> tuple[str, str, bytes]:
        own = self._worker.pool if self._options.control is None and len(told["pools"]) > 1 else None
        ready = sum(worker["state"] == "ready" for worker in told["workers"] if worker["pool"] != own)
        wanted = sum(pool["wanted"] for pool in told["pools"] if pool["name"] != own)
        is_ready = told["state"] == "ready" and ready >= self._options.min_ready
        line = f"{told['state']}: {ready} of {wanted} workers are ready\n".encode()
        return "200 OK" if is_ready else "503 Service Unavailable", _TEXT, line


def _response(status: str, kind: str, content: bytes, *, closes: bool, bodyless: bool = False) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        "Cache-Control: no-store",
    ]
    if closes:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if bodyless else content)
