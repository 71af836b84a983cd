"""What waits for an exchange may raise anything: that costs its own response, and is logged once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool_http.exchange import Exchange
from corepool_http.http1.driver import Session
from corepool_http.message import Body, Request, RequestLine, Section
from corepool_http.responses import Heads

if TYPE_CHECKING:
    from collections.abc import Callable


class Panic(BaseException):
    pass


class Conn:
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.sent = b""
        self.eof = self.closed = self.busy = self.congested = False

    def send(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def deadline(self, seconds: float) -> None:
        pass


def raising() -> None:
    raise Panic("raised on purpose")


def new_exchange(*, has_body: bool = False) -> tuple[Exchange, Conn, list[int]]:
    conn, logged = Conn(), list[int]()
    service = SimpleNamespace(
        heads=Heads(""),
        log_access=lambda exchange: logged.append(exchange.status),
        options=SimpleNamespace(keep_alive=5),
    )
    session = cast("Any", Session.__new__(Session))
    parser = SimpleNamespace(ready=[], refusal=None, in_head=False, body=None, end=lambda: None)
    for name, value in {
        "conn": conn,
        "service": service,
        "parser": parser,
        "leaving": False,
        "websocket": None,
        "now": 0.0,
        "_armed": 0.0,
    }.items():
        setattr(session, name, value)
    request = Request(RequestLine("GET", b"/why"), "1.1", Section([], keep_alive=True))
    if has_body:
        request.body = Body()
    session.current = exchange = Exchange(session, request, cast("Any", None))
    return exchange, conn, logged


def end(exchange: Exchange) -> None:
    exchange.send_whole(Heads("").of_text("200 OK", []), b"abc")


def go(exchange: Exchange) -> None:
    exchange.session.gone()


@pytest.mark.parametrize("how", [end, go])
def test_on_gone_may_raise(how: Callable[[Exchange], None], caplog: pytest.LogCaptureFixture) -> None:
    exchange, _, logged = new_exchange()
    exchange.on_gone = raising
    how(exchange)
    how(exchange)
    assert exchange.ended
    assert len(logged) == 1
    assert [record.getMessage() for record in caplog.records] == ["GET /why failed"]


def test_on_room_may_raise_and_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    exchange, conn, logged = new_exchange()
    exchange.on_room = raising
    exchange.session.room()
    assert conn.sent.startswith(b"HTTP/1.1 500 ")
    assert (logged, len(caplog.records)) == ([500], 1)


def test_one_callback_that_raises_keeps_no_other_from_its_call(caplog: pytest.LogCaptureFixture) -> None:
    exchange, _, logged = new_exchange(has_body=True)
    told: list[str] = []
    assert exchange.request.body is not None
    exchange.request.body.on_change = raising
    exchange.on_gone = lambda: told.append("gone")
    exchange.session.gone()
    assert (told, logged, len(caplog.records)) == (["gone"], [499], 1)
