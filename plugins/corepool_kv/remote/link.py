"""A connection to a server: requests of any number of clients in their order, and the replies in the same order.

All requests of one batch of events leave in one piece. A link is used once: when its connection has ended, every
request on it is answered with an error, since it may have run or not, and its owner makes another link.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from corepool_kv.remote.request import Request, Silent, encode_request
from corepool_kv.remote.splitter import BadReplyError, ReplySplitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool import Worker
    from corepool_kv.stores.remote_url import RemoteUrl, Server

CONNECT_TIMEOUT_S = 5.0

_MAX_UNSENT_BYTES = 8 << 20
_MAX_WAITING = 100_000
"""Requests on one link: with more, or with more bytes that the server has not taken, clients have to wait."""

_ERROR = ord("-")
_PUSH = ord(">")

_SILENT = Silent()


class Owner(Protocol):
    """The server that a link goes to."""

    def opened(self, link: Link) -> None:
        """Take note that a link can be used."""

    def ended(self, link: Link, reason: str, *, was_open: bool) -> None:
        """Take note that a link has ended; its requests will be answered with the reason right after this."""

    def redirects(self, link: Link, request: Request, reply: bytes) -> bool:
        """Return whether a reply that is an error has another server asked, so that it is not the client's."""


class Settings(Protocol):
    """What all links of a listener have in common."""

    worker: Worker
    url: RemoteUrl
    tls: ssl.SSLContext | None
    max_reply: int
    timeout_s: float


class Link(asyncio.Protocol):
    """One connection, from the first attempt to connect on. Runs in: the loop's thread of a worker."""

    def __init__(self, settings: Settings, owner: Owner, server: Server, *, resp3: bool, database: int) -> None:
        """Begin to connect.

        :param resp3: the server answers in RESP3.
        :param database: the one that its commands are about.
        """
        self.server = server
        self.resp3 = resp3
        self.database = database
        self.pipe: Callable[[bytes], None] | None = None
        """Gets all that comes, in place of the requests: messages of channels come without any."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection has ended by itself."""
        self.is_open = False
        """Commands are sent as they come."""
        self.has_ended = False
        self._settings = settings
        self._owner = owner
        self._splitter = ReplySplitter(settings.max_reply)
        self._waiting: deque[Request] = deque()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._will_flush = False
        self._is_congested = False
        self._for_room: list[Callable[[], None]] = []
        self._heard_s = time.monotonic()
        self._transport: asyncio.Transport | None = None
        self._connecting = settings.worker.loop.create_task(self._connect())

    # --- the owner's side

    @property
    def is_full(self) -> bool:
        """Whether clients should wait before they send more: the server is slow."""
        return self._is_congested or self._unsent_bytes > _MAX_UNSENT_BYTES or len(self._waiting) > _MAX_WAITING

    @property
    def is_idle(self) -> bool:
        """Whether every request has its reply."""
        return not self._waiting

    def when_there_is_room(self, call: Callable[[], None]) -> None:
        """Have `call` called when the link is full no more, or has ended."""
        self._for_room.append(call)

    def send(self, request: Request) -> None:
        """Send a request behind all others."""
        if self.has_ended:
            request.answer(_error(f"{self.server} has closed the connection"))
            return
        self._waiting.append(request)
        self.write(request.data)

    def send_silently(self, *words: bytes) -> None:
        """Send a request whose reply is of no interest."""
        self.send(Request(_SILENT, encode_request(words)))

    def write(self, data: bytes) -> None:
        """Send bytes whose replies go to the pipe."""
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if not self._will_flush and self.is_open:
            self._will_flush = True
            self._settings.worker.at_batch_end(self._flush)

    def pause(self) -> None:
        """Read no more for now: the client of the pipe does not read."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Undo `pause`."""
        if self._transport is not None and not self.has_ended:
            self._transport.resume_reading()

    def close(self) -> None:
        """Close it; its requests get no reply."""
        self.on_lost = self.pipe = None
        self._waiting.clear()
        self._end("", tell=False)

    def look(self, now_s: float) -> None:
        """End it if the server has left requests unanswered for too long. Called about once a second."""
        if self._waiting and self._transport is not None and now_s - self._heard_s > self._settings.timeout_s:
            self._end(f"no reply from {self.server} for {self._settings.timeout_s:g} s", tell=True)

    # --- connecting

    async def _connect(self) -> None:
        server, settings = self.server, self._settings
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                loop = settings.worker.loop
                if server.port:
                    await loop.create_connection(lambda: self, server.host, server.port, ssl=settings.tls)
                else:
                    await loop.create_unix_connection(lambda: self, server.host)
        except TimeoutError:
            how = " over TLS" if settings.tls is not None else ""
            self._end(f"no connection to {server}{how} within {CONNECT_TIMEOUT_S:g} s", tell=True)
        except (OSError, ValueError) as error:
            self._end(f"no connection to {server}: {_reason(error)}", tell=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.has_ended:
            transport.abort()
            return
        greeting = _greeting(self._settings.url, self.database, resp3=self.resp3)
        asker = _Greeting(self, len(greeting))
        self._heard_s = time.monotonic()
        # They go before the requests that have come meanwhile.
        requests = [Request(asker, encode_request(words)) for words in greeting]
        self._waiting.extendleft(reversed(requests))
        transport.write(b"".join([request.data for request in requests]))

    def greeted(self) -> None:
        """Send the requests of meanwhile: the server has accepted the greeting."""
        self.is_open = True
        self._owner.opened(self)
        if self._unsent:
            self._flush()

    def refused(self, reply: bytes) -> None:
        """End: the server does not accept the password, say."""
        words = reply[1:].decode(errors="replace").strip()
        self._end(f"{self.server} refuses the connection: {words}", tell=True)

    # --- the connection

    def _flush(self) -> None:
        self._will_flush = False
        if self._transport is None or self.has_ended or not self._unsent:
            return
        data = b"".join(self._unsent)
        self._unsent.clear()
        self._unsent_bytes = 0
        self._heard_s = time.monotonic()
        self._transport.write(data)

    def pause_writing(self) -> None:
        self._is_congested = True

    def resume_writing(self) -> None:
        self._is_congested = False
        self._tell_room()

    def data_received(self, data: bytes) -> None:
        self._heard_s = time.monotonic()
        if self.pipe is not None and self.is_open:  # before that, it is the reply to the greeting
            self.pipe(data)
            return
        try:
            for reply in self._splitter.feed(data):
                kind = reply[0]
                if kind == _PUSH:
                    continue  # it belongs to no request
                if not self._waiting:
                    raise BadReplyError("there is no request for it")  # noqa: TRY301
                request = self._waiting.popleft()
                if kind != _ERROR or not self._owner.redirects(self, request, reply):
                    request.answer(reply)
                if self.has_ended:
                    return
        except BadReplyError as error:
            self._end(f"{self.server} has sent a reply that can't be read: {error}", tell=True)
        if self._for_room and not self.is_full:
            self._tell_room()

    def eof_received(self) -> None:
        self._end(f"{self.server} has closed the connection", tell=True)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(f"the connection to {self.server} is lost: {_reason(error) if error else 'closed'}", tell=True)

    def _tell_room(self) -> None:
        waiting, self._for_room = self._for_room, []
        for call in waiting:
            call()

    def _end(self, reason: str, *, tell: bool) -> None:
        if self.has_ended:
            return
        was_open, self.is_open, self.has_ended = self.is_open, False, True
        self._unsent.clear()
        self._unsent_bytes = 0
        self._is_congested = False
        if self._transport is not None:
            self._transport.abort()
        elif not self._connecting.done() and asyncio.current_task(self._settings.worker.loop) is not self._connecting:
            self._connecting.cancel()
        if tell:
            self._owner.ended(self, reason, was_open=was_open)
        waiting = list(self._waiting)
        self._waiting.clear()
        for request in waiting:
            request.answer(_error(reason))
        if self.on_lost is not None:
            self.on_lost()
        self._tell_room()


class _Greeting:
    """The asker of the requests before all others. Implements `Asker`."""

    def __init__(self, link: Link, missing: int) -> None:
        self._link = link
        self._missing = missing

    def arrived(self, request: Request) -> None:
        self._missing -= 1
        assert request.reply is not None
        if self._link.has_ended:
            return
        if request.reply[0] == _ERROR:
            self._link.refused(request.reply)
        elif not self._missing:
            self._link.greeted()


def _greeting(url: RemoteUrl, database: int, *, resp3: bool) -> list[list[bytes]]:
    """Return the requests that a new connection begins with; PING, if there is nothing else to say."""
    user, password = url.user.encode(errors="surrogateescape"), url.password.encode(errors="surrogateescape")
    requests: list[list[bytes]] = []
    if resp3:
        requests.append([b"HELLO", b"3", *([b"AUTH", user or b"default", password] if password else [])])
    elif password:
        requests.append([b"AUTH", user, password] if user else [b"AUTH", password])
    if database:
        requests.append([b"SELECT", b"%d" % database])
    return requests or [[b"PING"]]


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError) and error.reason:
        words = error.reason.lower().replace("_", " ")
        return f"it does not speak TLS ({words})" if "wrong version" in words else words
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _error(reason: str) -> bytes:
    text = f"-ERR the store has failed: {reason}".replace("\r", " ").replace("\n", " ")
    return text.encode(errors="replace") + b"\r\n"
