"""The client of every check: requests as they are, answers as they come, and gates to meet the application at."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from http2_client import Http2Client
from websockets.sync.client import connect as connect_websocket

from corepool.testing.sockets import connect
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable
    from pathlib import Path

    from websockets.sync.client import ClientConnection

    from corepool.testing.pool import PoolProcess

TIMEOUT_S = 60.0
"""After this long a check fails instead of waiting for ever. No check measures time."""

NO_ERROR = 0
"""The code with which a stream is reset whose response came before all of its content."""


@dataclass(frozen=True)
class Answer:
    """A response, complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) < 2, found
        return found[0] if found else None

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Gate:
    """A name that a check and an application share: files in the pool's folder that begin with it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._folder = folder

    def open(self, what: str) -> None:
        """Let the application go on that waits for this."""
        (self._folder / f"{self.name}.{what}").touch()

    def is_marked(self, what: str) -> bool:
        return (self._folder / f"{self.name}.{what}").exists()

    def wait_for(self, what: str) -> str:
        """Wait until the application has left this sign, and return the text in it."""
        wait_until(lambda: self.is_marked(what), TIMEOUT_S, f"the application's sign {what!r}")
        return (self._folder / f"{self.name}.{what}").read_text()


class Site:
    """One framework's application, served by a pool of one worker."""

    def __init__(self, running: PoolProcess, urls: dict[str, str]) -> None:
        self.running = running
        self.urls = urls

    def host(self, listener: str = "plain") -> str:
        return urlsplit(self.urls[listener]).netloc

    def connection(self, listener: str = "plain") -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host(listener), timeout=TIMEOUT_S)

    def socket(self) -> socket.socket:
        return connect(self.urls["plain"], TIMEOUT_S)

    def websocket(self, target: str, listener: str = "plain", **options: Any) -> ClientConnection:
        url = f"ws://{self.host(listener)}{target}"
        return connect_websocket(url, open_timeout=TIMEOUT_S, close_timeout=TIMEOUT_S, proxy=None, **options)

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        content: bytes | Iterable[bytes] | None = None,
        listener: str = "plain",
    ) -> Answer:
        """Send one request on a connection of its own; content in pieces is sent chunked."""
        connection = self.connection(listener)
        try:
            return ask_on(connection, method, target, headers=headers, content=content)
        finally:
            connection.close()

    def get(self, target: str, *headers: tuple[str, str], listener: str = "plain") -> Answer:
        return self.ask("GET", target, headers=headers, listener=listener)

    def post(self, target: str, content: bytes | Iterable[bytes], *headers: tuple[str, str]) -> Answer:
        return self.ask("POST", target, headers=headers, content=content)

    def gate(self) -> Gate:
        return Gate(self.running.directory, f"gate-{uuid4().hex}")

    def assert_serves(self) -> None:
        assert self.get("/hello?name=x").text == "hello x"


class Http2Site(Site):
    """The same, asked over HTTP/2, on a connection for each request."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.running, site.urls)

    def ask(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        content: bytes | Iterable[bytes] | None = None,
        listener: str = "plain",
    ) -> Answer:
        lines: list[tuple[str | bytes, str | bytes]] = [
            *((":method", method), (":scheme", "http"), (":authority", self.host(listener)), (":path", target)),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers),
        ]
        if isinstance(content, bytes):
            lines.append(("content-length", str(len(content))))
        with connect(self.urls[listener], TIMEOUT_S) as sock:
            client = Http2Client.over(sock)
            client.h2.config.header_encoding = "latin-1"
            stream = client.begin_with(lines, more=content is not None)
            if content is not None:
                client.send_all(stream, [content] if isinstance(content, bytes) else content)
            answer = client.wait(stream)
        if not answer.is_whole and answer.reset != NO_ERROR:
            raise http.client.IncompleteRead(answer.content)
        return Answer(answer.status, answer.headers, answer.content)


def ask_on(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    content: bytes | Iterable[bytes] | None = None,
) -> Answer:
    """Send one request on a connection that may be kept, and receive the whole answer."""
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    if isinstance(content, bytes):
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
    elif content is not None:
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(content, encode_chunked=True)
    else:
        connection.endheaders()
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


def multipart(name: str, content: bytes, filename: str | None = "a.bin") -> tuple[bytes, tuple[str, str]]:
    """Return a form with one part, and the header that describes it."""
    boundary = "f3b1d6a0c2"
    file = f'; filename="{filename}"\r\nContent-Type: application/octet-stream' if filename else ""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, ("Content-Type", f"multipart/form-data; boundary={boundary}")
