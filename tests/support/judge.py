"""A client that judges responses: by h11, which shares no code with the server, and by what h11 lets pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import h11

from corepool.testing.sockets import connect

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess


class Judged(NamedTuple):
    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    content: bytes
    is_whole: bool

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


def exchange(running: PoolProcess, data: bytes, listener: str | None = None) -> tuple[bytes, bool]:
    """Send bytes, and return everything that comes back, and whether the connection was reset."""
    received = bytearray()
    with connect(running.urls(listener)[0]) as sock:
        sock.sendall(data)
        try:
            while piece := sock.recv(65_536):
                received += piece
        except ConnectionResetError:
            return bytes(received), True
    return bytes(received), False


def judge(data: bytes, methods: list[str], *, was_reset: bool = False) -> list[Judged]:
    """Read the responses to requests of these methods; fewer if the connection ends before.

    Nothing may be left over.
    """
    client = h11.Connection(h11.CLIENT)
    client.receive_data(data)
    if not was_reset:
        client.receive_data(b"")
    responses: list[Judged] = []
    for method in methods:
        client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        response = _next(client)
        if response is None:
            break
        responses.append(response)
        if client.their_state is not h11.DONE or client.our_state is not h11.DONE:
            break
        client.start_next_cycle()
        if client.trailing_data == (b"", True):
            break
    if not (responses and not responses[-1].is_whole):
        assert client.trailing_data in {(b"", True), (b"", False)}, client.trailing_data
    return responses


def _next(client: h11.Connection) -> Judged | None:
    response: h11.Response | None = None
    content = bytearray()
    is_whole = False
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            assert response is not None
            break  # the end of the connection, in the midst of the content
        if isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            content += event.data
        elif isinstance(event, h11.EndOfMessage):
            is_whole = True
            break
        elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
            break
        else:
            raise AssertionError(event)
    if response is None:
        return None
    judged = Judged(response.status_code, response.reason, list(response.headers), bytes(content), is_whole)
    _judge(judged)
    return judged


def _judge(response: Judged) -> None:
    """Insist on what every response has, and on what none may have."""
    assert 200 <= response.status <= 599
    assert len(response.all(b"date")) == 1
    assert len(response.all(b"server")) == 1
    assert len(response.all(b"content-length")) <= 1
    assert not (response.all(b"content-length") and response.all(b"transfer-encoding"))
    assert response.all(b"transfer-encoding") in ([], [b"chunked"])
    for name in (b"keep-alive", b"te", b"trailer", b"proxy-connection", b"proxy-authorization"):
        assert not response.all(name)
    if response.status == 204:
        assert not response.all(b"content-length")
        assert not response.all(b"transfer-encoding")
    if response.status == 205:
        assert response.all(b"content-length") == [b"0"]
    if response.status in {204, 205, 304}:
        assert response.content == b""
        assert response.is_whole
    if response.all(b"upgrade"):
        assert any(b"upgrade" in value.lower() for value in response.all(b"connection"))
