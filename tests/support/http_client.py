"""An http pool's configuration, and a client that hides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from corepool.testing.sockets import connect, receive_all

if TYPE_CHECKING:
    import socket

    from corepool.testing.pool import PoolProcess

APPLICATIONS = Path(__file__).parent / "served"  # the folder of the applications that tests serve

HTTP = """
[pool]
workers = {workers}
dispatcher = "round-robin"
[[listener]]
name = "http"
bind = ["{bind}"]
protocol = "http"
{listener}
[listener.options]
{options}
"""


def http_toml(workers: int = 1, bind: str = "tcp://127.0.0.1:0", listener: str = "", **options: object) -> str:
    lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    return HTTP.format(workers=workers, bind=bind, listener=listener, options=lines)


class Response(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2, found
        return found[0] if found else None


def ask(running: PoolProcess, data: bytes, listener: str | None = None) -> bytes:
    """Send bytes, and give everything that comes back until the server closes."""
    with connect(running.urls(listener)[0]) as sock:
        sock.sendall(data)
        return receive_all(sock)


def request(path: str, *headers: str, method: str = "GET", content: bytes = b"", close: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: a", *headers]
    if content:
        lines.append(f"Content-Length: {len(content)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


def get(
    running: PoolProcess,
    path: str,
    *headers: str,
    method: str = "GET",
    content: bytes = b"",
    listener: str | None = None,
) -> Response:
    [response] = parse(ask(running, request(path, *headers, method=method, content=content), listener), [method])
    return response


def parse(data: bytes, methods: list[str]) -> list[Response]:
    """Read responses, one for each request method, and insist that nothing follows."""
    responses = []
    for method in methods:
        response, data = _parse_one(data, method)
        responses.append(response)
    assert data == b"", data
    return responses


def _parse_one(data: bytes, method: str) -> tuple[Response, bytes]:
    head, separator, rest = data.partition(b"\r\n\r\n")
    assert separator, data
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ")[1])
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    fields = {name.lower(): value for name, value in headers}
    if method == "HEAD" or status in {204, 304} or status < 200:
        return Response(status, headers, b""), rest
    if fields.get("transfer-encoding") == "chunked":
        pieces = []
        begin = 0  # not a rest that becomes shorter: with many chunks, to copy it for each takes minutes
        while True:
            size_ends = rest.index(b"\r\n", begin)
            begin, length = size_ends + 2, int(rest[begin:size_ends], 16)
            pieces.append(rest[begin : begin + length])
            begin += length + 2
            assert rest[begin - 2 : begin] == b"\r\n", rest[begin - 2 :]
            if not length:
                return Response(status, headers, b"".join(pieces)), rest[begin:]
    if "content-length" in fields:
        length = int(fields["content-length"])
        return Response(status, headers, rest[:length]), rest[length:]
    return Response(status, headers, rest), b""


def receive_response(sock: socket.socket, method: str = "GET") -> Response:
    """Receive one response of a connection that stays open."""
    data = b""
    while True:
        piece = sock.recv(65_536)
        assert piece, data
        data += piece
        try:
            response, rest = _parse_one(data, method)
        except (AssertionError, ValueError):
            continue
        length = response.header("content-length")
        if length is None or len(response.body) == int(length) or method == "HEAD" or response.status == 304:
            assert rest == b""
            return response
