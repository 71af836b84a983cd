"""A second driver over the exchange of HTTP: no version of HTTP, but requests and responses as frames of JSON.

A frame is a length of four bytes, big-endian, and an object. Several requests share a connection, as in HTTP/2, and
their frames are told apart by `stream`. Bytes are latin-1 in JSON.
"""

from __future__ import annotations

import json
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from corepool import hookimpl
from corepool_http.apps.choice import make_application
from corepool_http.counted import METRICS, Counted
from corepool_http.message import Body, Request, RequestLine, Section
from corepool_http.options import HttpOptions
from corepool_http.service import Service
from corepool_http.stream_base import StreamBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from _typeshed import FileDescriptorLike

    from corepool import CloseReason, Connection, Worker
    from corepool_http.exchange import Exchange
    from corepool_http.head import Head
    from corepool_http.message import Fields
    from corepool_http.stream import Tunnel, TunnelUser


def frame(**fields: object) -> bytes:
    data = json.dumps(fields).encode()
    return len(data).to_bytes(4) + data


def frames(data: bytes) -> list[dict[str, Any]]:
    """Read frames, and insist that nothing follows."""
    found = []
    while data:
        size = int.from_bytes(data[:4])
        found.append(json.loads(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


class Framed:
    """A protocol whose connections are served by the same applications as HTTP's."""

    Options = HttpOptions
    metrics = METRICS

    def __init__(self, options: HttpOptions) -> None:
        self._options = options

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        make = partial(make_application, options=self._options)
        self.service = Service(self._options, worker, make, Counted(worker, self))

    @hookimpl
    def on_worker_stop(self) -> None:
        self.service.close()

    @hookimpl
    def on_accept(self, conn: Connection[FramedDriver]) -> None:
        conn.session = FramedDriver(self.service, conn)

    @hookimpl
    def on_readable(self, conn: Connection[FramedDriver]) -> None:
        conn.session.receive()

    @hookimpl
    def on_writable(self, conn: Connection[FramedDriver]) -> None:
        for each in list(conn.session.streams.values()):
            each.room()

    @hookimpl
    def on_close(self, conn: Connection[FramedDriver], reason: CloseReason) -> None:  # noqa: ARG002
        for each in list(conn.session.streams.values()):
            each.reset()


class FramedDriver:
    """The streams of one connection."""

    def __init__(self, service: Service, conn: Connection[FramedDriver]) -> None:
        self.service = service
        self.conn = conn
        self.client = service.proxies.client_of(conn)
        self.streams: dict[int, FramedStream] = {}
        self._unread = b""

    def receive(self) -> None:
        data = self._unread + self.conn.recv()
        while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4]):
            end = 4 + int.from_bytes(data[:4])
            fields, data = json.loads(data[4:end]), data[end:]
            stream = self.streams.get(fields["stream"])
            if "method" in fields:
                FramedStream(self, fields["stream"]).serve(fields)
            elif stream is not None:
                stream.take(fields)
        self._unread = data


class FramedStream(StreamBase):
    """One request: the `Stream` of its exchange, and its `Tunnel` if it becomes one."""

    exchange: Exchange

    def __init__(self, driver: FramedDriver, number: int) -> None:
        self.output = self
        self.heads = driver.service.heads
        self.closed = False
        self.eof = False
        self._driver = driver
        self._number = number
        self._user: TunnelUser | None = None

    # --- what arrives

    def serve(self, fields: dict[str, Any]) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields["headers"]]
        line = RequestLine(fields["method"], fields["target"].encode("latin-1"))
        request = Request(line, "2", Section(headers, keep_alive=True))
        request.expects_continue = fields.get("waits", False)
        request.upgrade = fields.get("tunnel", False)
        if fields.get("more"):
            request.body = Body()
        self.exchange = self._driver.service.exchange(self, request, self._driver.client, time.monotonic())
        self._driver.streams[self._number] = self
        self._driver.service.serve(self.exchange)

    def take(self, fields: dict[str, Any]) -> None:
        if fields.get("reset"):
            self.reset()
            return
        data = fields["content"].encode("latin-1")
        if self._user is not None:
            self.eof = not data
            self._user.receive(data)
            return
        body = self.exchange.request.body
        assert body is not None
        if data:
            body.add(data)
        if "trailers" in fields:
            body.trailers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields["trailers"]]
        body.complete = not fields.get("more")
        if body.on_change is not None:
            self.exchange.call(body.on_change)

    def room(self) -> None:
        if self._user is not None:
            self._user.room()
        elif self.exchange.on_room is not None:
            self.exchange.call(self.exchange.on_room)

    def reset(self) -> None:
        """End: the client has gone, or gives this request up."""
        self.closed = True
        del self._driver.streams[self._number]
        if self._user is not None:
            self._user.gone()
        body = self.exchange.request.body
        if body is not None and not body.complete:
            body.failed = True
        self.exchange.lose()
        self.exchange.notify_gone()

    # --- the exchange's stream

    @property
    def congested(self) -> bool:
        return self._driver.conn.congested

    def send_now(self) -> None:
        self._driver.conn.send_now()

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in head.fields]
        if size is not None and head.length is None and not head.bodyless:
            headers.append(("content-length", str(size)))
        self._send(status=head.status, headers=headers)
        if content:
            self.send(content)

    def hint(self, lines: bytes) -> None:
        self._send(hints=lines.decode("latin-1"))

    def send(self, data: bytes) -> None:
        self._send(content=data.decode("latin-1"))

    def send_file(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        fd = file if isinstance(file, int) else file.fileno()
        self.send(os.pread(fd, count, offset))

    def end(self) -> None:
        self._finish("whole")

    def end_with(self, trailers: Fields) -> None:
        self._send(trailers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in trailers])
        self._finish("whole")

    def break_off(self) -> None:
        self._finish("broken")

    def want_content(self, *, invites: bool) -> None:
        if invites:
            self._send(status=100)

    def open_tunnel(self, user: TunnelUser) -> tuple[Tunnel, bytes]:
        self._user = user
        return self, b""

    def accept_tunnel(self, headers: Sequence[tuple[str, str]]) -> int:
        self._send(status=200, headers=list(headers))
        return 200

    def end_tunnel(self) -> None:
        """Go on: `close` or the client ends it."""

    # --- the tunnel

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._finish("whole")

    def abort(self) -> None:
        self.reset()

    def pause(self) -> None:
        self._send(window="closed")

    def resume(self) -> None:
        self._send(window="open")

    def deadline(self, seconds: float | None) -> None:
        """Wait for ever."""

    def _finish(self, how: str) -> None:
        self._send(end=how)
        self._driver.streams.pop(self._number, None)
        self._driver.service.ended(self.exchange, time.monotonic())

    def _send(self, **fields: object) -> None:
        self._driver.conn.send(frame(stream=self._number, **fields))
