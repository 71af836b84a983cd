"""Clients that never reconnect: each sends a request, checks every byte of its reply, waits a moment, and so on.

Half speak kv: INCR of a key of their own, so that a request that is lost or served twice shows. Half speak HTTP: each
path is new, and the application sends it back.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

KV_FAREWELL = b"-ERR worker lost\r\n"
HTTP_FAREWELL = b"HTTP/1.1 502 "

APPLICATION = """
import time
def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/slow"):
        time.sleep(0.5)
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]
"""
TOML = """
[pool]
workers = {workers}
{pool}
[[listener]]
name = "kv"
bind = ["tcp://127.0.0.1:0"]
protocol = "kv"
options = {{ store = "lmdb:data" }}
{listener}
[[listener]]
name = "http"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
{listener}
[listener.options]
target = "application:app"
{http}
"""


class Client:
    """One connection, for as long as it lasts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._reader = reader
        self._writer = writer
        self._number = number
        self._count = 0
        self.replies = 0

    async def run(self, stop: asyncio.Event, pause_s: float) -> str:
        """Go on until told to stop.

        :returns: how it ended: "" as told, "interrupted" as a crash should end a busy client, or the failure.
        """
        try:
            while not stop.is_set():
                request, expected = self.next()
                self._writer.write(request)
                reply = await self._read(len(expected))
                if reply != expected:
                    return await self._explain(reply, expected)
                self.replies += 1
                await asyncio.sleep(pause_s)
        except OSError as error:
            return f"after {self.replies} replies: {error!r}"
        finally:
            self._writer.close()
        return ""

    async def _read(self, size: int) -> bytes:
        try:
            return await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            return error.partial

    async def _explain(self, reply: bytes, expected: bytes) -> str:
        rest = await self._reader.read() if reply.startswith((KV_FAREWELL[:4], HTTP_FAREWELL)) else b""
        whole = reply + rest
        if whole == KV_FAREWELL or (whole.startswith(HTTP_FAREWELL) and b"Connection: close\r\n" in whole):
            return "interrupted"
        return f"after {self.replies} replies: {whole[:200]!r} in place of {expected!r}"

    def next(self) -> tuple[bytes, bytes]:
        """Make the next request, and its reply."""
        raise NotImplementedError


class KvClient(Client):
    """Counts."""

    def next(self) -> tuple[bytes, bytes]:
        self._count += 1
        key = b"client-%d" % self._number
        return b"*2\r\n$4\r\nINCR\r\n$%d\r\n%b\r\n" % (len(key), key), b":%d\r\n" % self._count


class HttpClient(Client):
    """Asks for a new name each time."""

    def next(self) -> tuple[bytes, bytes]:
        self._count += 1
        path = b"/client-%d/%d" % (self._number, self._count)
        return b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path, path

    async def _read(self, size: int) -> bytes:
        """Read one response, and give its body."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        if not head.startswith(b"HTTP/1.1 200 OK\r\n") or b"Connection: close" in head:
            return head
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        return await super()._read(length) if length == size else head


class Steady:
    """Many clients in a thread. Use as a context manager; look at `failures` and `interrupted` afterwards."""

    def __init__(
        self, kv: str, http: str, clients: int, pause_s: float = 0.2, first: Callable[[int], bytes] = lambda _: b""
    ) -> None:
        """Prepare.

        :param first: returns the bytes that the connection of a client begins with, by its number.
        """
        self._urls = [(KvClient, kv), (HttpClient, http)]
        self._count = clients
        self._pause_s = pause_s
        self._first = first
        self._begun = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._error: BaseException | None = None
        self.clients: list[Client] = []
        self.failures: list[str] = []
        self.interrupted = 0

    @property
    def replies(self) -> int:
        """The number of right replies."""
        return sum(client.replies for client in self.clients)

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait(60)
        assert len(self.clients) == self._count, self._error
        return self

    def wait_for_replies(self, count: int | None = None, deadline_s: float = 60) -> None:
        """Wait until so many more have come: one from each client, if it isn't said."""
        before = [client.replies for client in self.clients]
        wanted = None if count is None else sum(before) + count
        give_up = time.monotonic() + deadline_s
        while time.monotonic() < give_up:
            each = [client.replies for client in self.clients]
            if sum(each) >= wanted if wanted is not None else all(a > b for a, b in zip(each, before, strict=True)):
                return
            if self.failures:
                raise AssertionError(f"{len(self.failures)} connections failed: {self.failures[:5]}")
            time.sleep(0.02)
        raise AssertionError("no replies")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            for number in range(self._count):
                make, url = self._urls[number % 2]
                host, _, port = url.removeprefix("tcp://").rpartition(":")
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(self._first(number))
                self.clients.append(make(reader, writer, number))
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._begun.set()
        await asyncio.gather(*(self._watch(client, number) for number, client in enumerate(self.clients)))

    async def _watch(self, client: Client, number: int) -> None:
        await asyncio.sleep(self._pause_s * number / self._count)  # not all at once
        end = await client.run(self._stop, self._pause_s)
        if end == "interrupted":
            self.interrupted += 1
        elif end:
            self.failures.append(f"client {number}: {end}")
