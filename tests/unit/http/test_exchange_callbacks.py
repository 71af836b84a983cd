"""A callback of an exchange may raise anything: that costs its own response, and is logged once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool import CloseReason
from corepool.spec.connection_base import ConnectionBase
from corepool_http.apps.asgi_tasks import log_failure
from corepool_http.apps.wsgi_inline import InlineCall
from corepool_http.counted import Counted
from corepool_http.exchange import Exchange
from corepool_http.http1.driver import Driver
from corepool_http.http1.heads import HeadReader
from corepool_http.message import Body, Request, RequestLine, Section
from corepool_http.options import HttpOptions
from corepool_http.responses import Heads
from corepool_http.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Panic(BaseException):
    pass


class Conn(ConnectionBase):
    """A connection that keeps what it is told."""

    def __init__(self) -> None:
        self.sent = b""
        self.eof = self.busy = self.congested = False
        self.reason = None

    @property
    def closed(self) -> bool:
        return self.reason is not None

    def send(self, data: bytes) -> None:  # type: ignore[override]  # no other buffer is sent
        self.sent += data

    def send_now(self) -> None:
        pass

    def close(self) -> None:
        self.reason = CloseReason.CLOSED

    def deadline(self, seconds: float) -> None:
        pass


class Logging(Service):
    """Notes the status of each exchange that has ended."""

    def __init__(self, logged: list[int]) -> None:
        worker: Any = SimpleNamespace(metrics_of=lambda *_: {"http_requests": []})
        application: Any = SimpleNamespace(serves_websockets=False)
        options = HttpOptions(target="a:b", access_log="off", server="")
        super().__init__(options, worker, lambda _: application, Counted(worker, object()))
        self._logged = logged

    def ended(self, exchange: Exchange, now_s: float) -> None:  # noqa: ARG002
        self._logged.append(exchange.status)


class Unknown(Exception):  # noqa: N818
    """Fails isinstance; but only once, since pytest looks at it, too."""

    looks = 0

    @property  # type: ignore[misc]  # mypy knows it as one that can be set
    def __class__(self) -> type:
        self.looks += 1
        if self.looks == 1:
            raise Panic("raised on purpose")
        return type(self)


def raising() -> None:
    raise Panic("raised on purpose")


def new_exchange(*, has_body: bool = False) -> tuple[Exchange, Conn, list[int], Driver]:
    conn, logged = Conn(), list[int]()
    service = Logging(logged)
    driver = Driver(service, HeadReader(service.options), cast("Any", conn))
    request = Request(RequestLine("GET", b"/why"), "1.1", Section([], keep_alive=True))
    if has_body:
        request.body = Body()
    driver.current = exchange = Exchange(driver, request, cast("Any", None), 0.0)
    return exchange, conn, logged, driver


def end(exchange: Exchange, _: Driver) -> None:
    exchange.respond(Heads("").of_text("200 OK", []), b"abc")


def go(_: Exchange, driver: Driver) -> None:
    driver.gone()


@pytest.mark.parametrize("how", [end, go])
def test_on_gone_may_raise(how: Callable[[Exchange, Driver], None], caplog: pytest.LogCaptureFixture) -> None:
    exchange, _, logged, driver = new_exchange()
    exchange.on_gone = raising
    how(exchange, driver)
    how(exchange, driver)
    assert exchange.ended
    assert len(logged) == 1
    assert [record.getMessage() for record in caplog.records] == ['request_failed request="GET /why"']


def test_on_room_may_raise_and_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    exchange, conn, logged, driver = new_exchange()
    exchange.on_room = raising
    driver.room()
    assert conn.sent.startswith(b"HTTP/1.1 500 ")
    assert (logged, len(caplog.records)) == ([500], 1)


def test_one_callback_that_raises_keeps_no_other_from_its_call(caplog: pytest.LogCaptureFixture) -> None:
    exchange, _, logged, driver = new_exchange(has_body=True)
    told: list[str] = []
    assert exchange.request.body is not None
    exchange.request.body.on_change = raising
    exchange.on_gone = lambda: told.append("gone")
    driver.gone()
    assert (told, logged, len(caplog.records)) == (["gone"], [499], 1)


def test_an_exception_that_can_not_be_looked_at_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    exchange, conn, logged, _ = new_exchange()
    posted: list[Callable[[], None]] = []
    call = InlineCall()
    call.begin(exchange, Heads(""), posted.append, None)

    def application(_: object, start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from [b"a piece"] * 16  # those of one turn
        raise Unknown

    call.call(cast("Any", application), {})
    posted.pop()()
    assert exchange.ended
    assert conn.sent.endswith(b"a piece\r\n")
    assert (logged, len(caplog.records)) == ([200], 1)


def test_an_exception_that_can_not_be_looked_at_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    exchange, *_ = new_exchange()
    log_failure(exchange, Unknown(), client_has_left=True)
    assert [record.getMessage() for record in caplog.records] == ['request_failed request="GET /why"']
