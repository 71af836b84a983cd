"""WebSockets."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from http_client import receive_response
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from grid.client import Site

LARGE = bytes(range(256)) * 4096
"""1 MiB."""

UNTOLD = ""
"""Recorded by the application of a framework that does not tell it the code."""


def _closed(socket: Any) -> tuple[int, str]:
    """Receive nothing but the server's close; return its code and reason."""
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv()
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def text(site: Site) -> None:
    with site.websocket("/ws/echo") as socket:
        for message in ("hello", "", "é€😀"):
            socket.send(message)
            assert socket.recv() == message


def binary(site: Site) -> None:
    with site.websocket("/ws/echo?binary=1") as socket:
        for message in (b"\x00\xff", bytes(range(256))):
            socket.send(message)
            assert socket.recv() == message


def message_of_1_mb(site: Site) -> None:
    with site.websocket("/ws/echo?binary=1", max_size=None) as socket:
        socket.send(LARGE)
        assert socket.recv() == LARGE
    with site.websocket("/ws/echo", max_size=None) as socket:
        socket.send("x" * 1_000_000)
        assert socket.recv() == "x" * 1_000_000


def message_in_fragments(site: Site) -> None:
    with site.websocket("/ws/echo") as socket:
        socket.send(["one ", "two ", "three"])
        assert socket.recv() == "one two three"


def a_thousand_messages_from_the_server(site: Site) -> None:
    with site.websocket("/ws/many") as socket:
        assert [socket.recv() for _ in range(1000)] == [str(number) for number in range(1000)]


def messages_that_do_not_wait(site: Site) -> None:
    with site.websocket("/ws/echo") as socket:
        for number in range(200):
            socket.send(str(number))
        assert [socket.recv() for _ in range(200)] == [str(number) for number in range(200)]


def without_compression(site: Site) -> None:
    with site.websocket("/ws/echo", compression=None) as socket:
        socket.send("plain")
        assert socket.recv() == "plain"


def compression(site: Site) -> None:
    with site.websocket("/ws/echo") as socket:
        assert "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", "")
        socket.send("abc" * 10_000)
        assert socket.recv() == "abc" * 10_000


def ping_is_answered(site: Site) -> None:
    with site.websocket("/ws/echo") as socket:
        assert socket.ping(b"are you there").wait(60)


def subprotocol(site: Site) -> None:
    offered = [Subprotocol("chat.v1"), Subprotocol("chat.v2")]
    with site.websocket("/ws/protocol", subprotocols=offered) as socket:
        assert socket.subprotocol == "chat.v2"
        assert socket.recv() == "accepted"


def no_subprotocol(site: Site) -> None:
    with site.websocket("/ws/protocol") as socket:
        assert socket.subprotocol is None
        assert socket.recv() == "accepted"


def request_is_readable(site: Site) -> None:
    headers = [("X-Thing", "one"), ("Cookie", "a=1; b=2")]
    with site.websocket("/ws/about/caf%C3%A9?q=x+y", additional_headers=headers) as socket:
        assert json.loads(socket.recv()) == {
            "thing": "one",
            "cookies": {"a": "1", "b": "2"},
            "query": "x y",
            "name": "café",
        }


def client_closes_with_1000(site: Site) -> None:
    gate = site.gate()
    with site.websocket(f"/ws/echo?gate={gate.name}") as socket:
        socket.close()
        assert socket.close_code == 1000
    assert gate.wait_for("left") in {"1000", UNTOLD}


def client_closes_with_4001(site: Site) -> None:
    gate = site.gate()
    with site.websocket(f"/ws/echo?gate={gate.name}") as socket:
        socket.close(4001, "as it likes")
        assert socket.close_code == 4001
    assert gate.wait_for("left") in {"4001", UNTOLD}


def server_closes_with_1000(site: Site) -> None:
    with site.websocket("/ws/close/1000") as socket:
        assert _closed(socket)[0] == 1000


def server_closes_with_3001_and_a_reason(site: Site) -> None:
    with site.websocket("/ws/close/3001") as socket:
        assert _closed(socket) == (3001, "as asked")


def server_closes_with_4001_and_a_reason(site: Site) -> None:
    with site.websocket("/ws/close/4001") as socket:
        assert _closed(socket) == (4001, "as asked")


def rejection(site: Site) -> None:
    with pytest.raises(InvalidStatus) as caught, site.websocket("/ws/reject"):
        pass
    assert caught.value.response.status_code == 403
    site.assert_serves()


def denial_response(site: Site) -> None:
    with pytest.raises(InvalidStatus) as caught, site.websocket("/ws/deny"):
        pass
    assert caught.value.response.status_code == 401
    assert b"denied" in (caught.value.response.body or b"")


def no_route(site: Site) -> None:
    with pytest.raises(InvalidStatus) as caught, site.websocket("/ws/none"):
        pass
    assert caught.value.response.status_code in {403, 404}
    site.assert_serves()


def exception(site: Site) -> None:
    with site.websocket("/ws/raise") as socket, pytest.raises(ConnectionClosedError) as caught:
        socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code in {1011, 4500}  # Litestar closes by itself, with 4000 and the status
    site.assert_serves()


def client_that_vanishes(site: Site) -> None:
    gate = site.gate()
    with site.websocket(f"/ws/echo?gate={gate.name}") as socket:
        socket.send("hello")
        assert socket.recv() == "hello"
        socket.socket.shutdown(2)
    assert gate.wait_for("left") in {"1005", "1006", UNTOLD}
    site.assert_serves()


def mounted(site: Site) -> None:
    with site.websocket("/sub/ws") as socket:
        socket.send("hello")
        assert socket.recv() == "hello"


def behind_a_prefix(site: Site) -> None:
    for target in ("/ws/echo", "/sub/ws"):
        with site.websocket(target, "mounted") as socket:
            socket.send("hello")
            assert socket.recv() == "hello"


def plain_request(site: Site) -> None:
    assert site.get("/ws/echo").status in {400, 403, 404, 405, 426, 500}
    site.assert_serves()


def wrong_version(site: Site) -> None:
    with site.socket() as sock:
        sock.sendall(
            b"GET /ws/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 12\r\n\r\n"
        )
        assert receive_response(sock).status in {400, 426}
    site.assert_serves()


def many_clients_at_once(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(site.websocket("/ws/echo")) for _ in range(20)]
        for number, socket in enumerate(sockets):
            socket.send(str(number))
        assert [socket.recv() for socket in sockets] == [str(number) for number in range(20)]
