"""One connection of HTTP/2: many requests at once, each on a stream of its own (RFC 9113).

The codec reads frames and makes them; applications answer exchanges; this connects both to the connection. The output
of a batch of events leaves in one piece: it is made when the batch is over, or when an application wants it sent.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from corepool_http.clock import monotonic
from corepool_http.http2.carrier import Carrier
from corepool_http.http2.errors import Code, Failure
from corepool_http.http2.request_stream import RequestStream
from corepool_http.http2.streams import CONTENT, LOST, PRIORITY, REQUEST, ROOM
from corepool_http.http2.unfinished import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Connection
    from corepool_http.client import Client
    from corepool_http.http1.ending import Session
    from corepool_http.http2.codec import Codec
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream
    from corepool_http.http2.windows import ExtraRoom
    from corepool_http.service import Service

_REQUESTS_PER_TURN = 32
"""Requests that are served before other connections have their turn."""

_PING = b"corepool"
_PING_S = 1.0
"""How long a client may take to answer the ping behind the first GOAWAY; its requests of before have come by then."""


class Driver(Carrier):
    """The state of one connection."""

    __slots__ = ("_client", "_is_last", "_is_leaving", "_on_failure", "_unfinished", "_unserved", "streams")

    is_between_requests = False
    """No other worker could go on: the tables of the compression stay here."""

    def __init__(
        self,
        service: Service,
        known: KnownBlocks,
        extra: ExtraRoom,
        conn: Connection[Session],
        on_failure: Callable[[Connection[Session], Failure], None],
    ) -> None:
        """Send the server's preface, and wait for the client's.

        :param on_failure: called once, before a connection is closed whose client has broken the protocol.
        """
        Carrier.__init__(self, service, known, extra, conn)
        self.streams: dict[int, RequestStream] = {}
        self._on_failure = on_failure
        self._unserved: deque[BaseStream] = deque()
        self._unfinished: Unfinished | None = None
        """None: no request was lost yet."""
        self._client: Client | None = None
        self._is_leaving = False
        self._is_last = False
        """The last GOAWAY was sent: no stream follows."""
        conn.pinned = conn.half_open = True
        options = service.options
        self.deadlines.idle = self.deadlines.after(options.keep_alive or options.header_timeout)
        self.deadlines.settings = self.deadlines.after(options.header_timeout)
        conn.send(self.codec.take())

    def make_stream(self, number: int) -> RequestStream:
        return RequestStream(self, number)

    # --- what arrives

    def receive(self) -> None:
        """Receive bytes from the client."""
        data = self.conn.recv()
        if data:
            self.take(data)
        elif self.conn.eof:
            self._peer_ended()

    def take(self, data: bytes) -> None:
        """Take bytes that were received."""
        codec = self.codec
        self.output.is_held = True
        served = 0
        unserved = self._unserved
        found = codec.receive(data)
        for stream in found:
            if served >= _REQUESTS_PER_TURN or unserved or not self.output.has_room():
                unserved.append(stream)
                continue
            served += self._meet(stream)
        if codec.in_head:
            self._expect_head(bool(found))
        else:
            self.deadlines.head = math.inf
        self._after(codec)
        self.output.is_held = False
        self.output.flush()

    def _expect_head(self, has_moved: bool) -> None:  # noqa: FBT001
        """Wait for the rest of a header block, or of another frame.

        :param has_moved: it is not the one that was waited for before.
        """
        if has_moved or self.deadlines.head == math.inf:
            self.deadlines.head = self.deadlines.after(self.service.options.header_timeout)

    def _after(self, codec: Codec) -> None:
        """Act on news of the whole connection."""
        if self._unserved:
            self.conn.pause()
            if self.output.has_room():  # else room() goes on
                self.service.worker.at_batch_end(self._go_on)
        if codec.opened:
            codec.opened = False
            self.output.unblock_all()
        if codec.failure is not None:
            self._fail()
        elif codec.pong is not None:
            if codec.pong == _PING:
                self._end_leaving()
            codec.pong = None

    def _meet(self, stream: BaseStream) -> bool:
        """Act on the news of one stream, and return whether it has brought a request."""
        assert isinstance(stream, RequestStream)
        mine: RequestStream = stream
        news = mine.news
        mine.news = 0
        if news & LOST:
            self.lose(mine)
            return bool(news & REQUEST)
        if news & REQUEST:
            self._serve(mine)
            return True
        if news & CONTENT:
            mine.on_content()
        if news & ROOM:
            self.output.unblock(mine)
        if news & PRIORITY:
            self.output.set_priority(mine)
        return False

    def _serve(self, stream: RequestStream) -> None:
        request = stream.request
        assert request is not None
        service = self.service
        if self._unfinished is not None and self._is_full(len(self._unfinished)):
            self.codec.reset(stream, Code.REFUSED_STREAM)
            return
        self.streams[stream.number] = stream
        self.conn.busy = True
        client = self._client
        if client is None:
            client = self._client = service.proxies.client_of(self.conn)
        if client.is_trusted:
            client = service.proxies.forwarded(client, request)
        stream.exchange = exchange = service.exchange(stream, request, client, monotonic())
        if stream.refusal is not None:
            service.refuse(exchange, stream.refusal)
            return
        if request.body is not None and not request.body.complete and not request.expects_continue:
            stream.expect_content()  # with 100-continue, the client waits for us
        service.serve(exchange)

    def _is_full(self, unfinished: int) -> bool:
        return unfinished > 0 and unfinished + len(self.streams) >= self.service.options.http2_max_concurrent_streams

    def _go_on(self) -> None:
        """Serve streams that had to wait."""
        unserved = self._unserved
        if not unserved or self.conn.closed:
            return
        self.output.is_held = True
        served = 0
        while unserved and served < _REQUESTS_PER_TURN and self.output.has_room():
            served += self._meet(unserved.popleft())
        self.output.is_held = False
        self.output.flush()
        if not unserved:
            self.conn.resume()
        elif self.output.has_room():
            self.service.worker.at_batch_end(self._go_on)

    def _peer_ended(self) -> None:
        """Finish requests that have come: a client may end its side and still read."""
        for stream in list(self.streams.values()):
            stream.end_of_input()
        if not self.streams and not self._unserved:
            self._close()

    def room(self) -> None:
        """Go on: the client has read. What it has sent meanwhile comes first, which may be a reset."""
        if self._unserved:
            self._go_on()
            return
        data = self.conn.recv()
        if data:
            self.take(data)
        else:
            if self.conn.eof:
                self._peer_ended()
            self.output.flush()

    # --- what ends

    def forget(self, stream: BaseStream) -> None:
        """Let go of a stream whose last frame was made."""
        mine = self.streams.pop(stream.number, None)
        if mine is not None:
            self.output.remove(mine)
            if not self.streams:
                self._be_idle()
            mine.let_go()

    def lose(self, stream: BaseStream) -> None:
        """Let go of a stream that its client has given up, or that was reset."""
        mine = self.streams.get(stream.number)
        if mine is not None:
            if mine.exchange is not None:
                if self._unfinished is None:
                    self._unfinished = Unfinished()
                mine.token = self._unfinished.token()
            self.forget(mine)

    def _be_idle(self) -> None:
        self.conn.busy = self._is_leaving and not self._is_last
        if self._is_last or self.conn.eof or not self.service.options.keep_alive:
            self.service.worker.at_batch_end(self._close)
            return
        self.deadlines.idle = self.deadlines.after(self.service.options.keep_alive)

    def _close(self) -> None:
        """Close, if nothing has come meanwhile."""
        if self.streams or self._unserved or self.conn.closed:
            return
        self._say_last()
        self.output.flush()
        self.conn.close()

    def _fail(self) -> None:
        """Close a connection whose client has broken the protocol, or abuses it: the codec has sent why."""
        failure = self.codec.failure
        assert failure is not None
        self._on_failure(self.conn, failure)
        self._unserved.clear()
        for stream in list(self.streams.values()):
            self.lose(stream)
        self.output.flush()
        self.conn.close()

    def gone(self) -> None:
        """Notify the applications: the connection is gone."""
        self._unserved.clear()
        for stream in list(self.streams.values()):
            self.lose(stream)
        self.codec.let_go()

    def leave(self) -> None:
        """Let the client begin no more requests: those that are on their way are served (RFC 9113, 6.8).

        A first GOAWAY says so, and does not say which stream is the last. The answer to the ping behind it comes after
        all that the client has sent before it had read that; then the second one names the last stream.
        """
        if self._is_leaving:
            return
        self._is_leaving = True
        self.conn.busy = True
        self.codec.goaway(Code.NO_ERROR, None)
        self.codec.ping(_PING)
        self.deadlines.leave = self.deadlines.after(_PING_S)
        for stream in list(self.streams.values()):
            stream.leave()
        self.output.flush()

    def _end_leaving(self) -> None:
        if self._is_last or not self._is_leaving:
            return
        self.deadlines.leave = math.inf
        self._say_last()
        if not self.streams:
            self._close()

    def _say_last(self) -> None:
        if not self._is_last and self.codec.failure is None:
            self.codec.goaway(Code.NO_ERROR, self.codec.last_stream)
        self._is_last = True

    def on_deadline(self) -> None:
        """End streams, or the connection, whose client is late."""
        deadlines = self.deadlines
        deadlines.armed = math.inf
        now = deadlines.now() + 0.001
        if self.codec.is_acknowledged:
            deadlines.settings = math.inf
        elif deadlines.settings <= now:
            self.codec.fail(Failure(Code.SETTINGS_TIMEOUT, "SETTINGS were not acknowledged"))
            self._fail()
            return
        if deadlines.leave <= now:
            self._end_leaving()
        if deadlines.head <= now or (deadlines.idle <= now and not self.streams):
            deadlines.head = math.inf
            for stream in list(self.streams.values()):
                stream.reset(Code.CANCEL)
            self._close()
            return
        due = min(deadlines.head, deadlines.leave, deadlines.settings, math.inf if self.streams else deadlines.idle)
        for stream in list(self.streams.values()):
            due = min(due, stream.check(now))
        if due < math.inf:
            deadlines.watch(due)
        self.output.flush()
