"""The exchange over a stream that notes its calls: what a driver is asked, in which order, and never after the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.client import Client
from corepool_http.exchange import Exchange
from corepool_http.message import Body, Request, RequestLine, Section
from corepool_http.responses import Heads
from corepool_http.stream_base import StreamBase

if TYPE_CHECKING:
    from corepool_http.head import Head


class NotingStream(StreamBase):
    """A driver of nothing. Its own output, too."""

    congested = closed = eof = False

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.heads = Heads("")

    @property
    def output(self) -> NotingStream:
        return self

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        self.calls.append(("begin", head.status, size, content))

    def send_file(self, file: int, offset: int, count: int) -> None:  # noqa: ARG002
        self.calls.append(("file", offset, count))

    def want_content(self, *, invites: bool) -> None:
        self.calls.append(("want", invites))

    def accept_tunnel(self, headers: object) -> int:  # noqa: ARG002
        self.calls.append(("accept",))
        return 101

    def send(self, data: bytes) -> None:
        self.calls.append(("send", data))

    def end(self) -> None:
        self.calls.append(("end",))

    def break_off(self) -> None:
        self.calls.append(("break off",))

    def end_tunnel(self) -> None:
        self.calls.append(("end tunnel",))

    def send_now(self) -> None:
        self.calls.append(("now",))


def begin(method: str = "GET") -> tuple[Exchange, NotingStream]:
    stream: Any = NotingStream()
    request = Request(RequestLine(method, b"/"), "1.1", Section([(b"host", b"a")], keep_alive=True))
    client: Any = Client.__new__(Client)
    return Exchange(stream, request, client, 0.0), stream


def head(stream: NotingStream, status: str = "200 OK", length: int | None = None) -> Head:
    return stream.heads.of_text(status, [] if length is None else [("Content-Length", str(length))])


def test_a_head_leaves_with_the_first_piece_and_once() -> None:
    exchange, stream = begin()
    exchange.start(head(stream))
    assert stream.calls == []
    exchange.write(b"")
    exchange.write(b"one")
    exchange.finish()

    assert stream.calls == [("begin", 200, None, b""), ("send", b"one"), ("end",)]
    assert (exchange.ended, exchange.sent, exchange.status) == (True, 3, 200)


def test_a_head_leaves_with_a_file_too() -> None:
    exchange, stream = begin()
    exchange.start(head(stream, length=10))
    exchange.send_file(0, 5, 10)
    exchange.finish()

    assert stream.calls == [("begin", 200, None, b""), ("file", 5, 10), ("end",)]


def test_no_more_of_a_file_is_sent_than_was_announced() -> None:
    exchange, stream = begin()
    exchange.start(head(stream, length=3))
    exchange.send_file(0, 0, 10)
    exchange.send_file(0, 10, 10)
    exchange.finish()

    assert stream.calls == [("begin", 200, None, b""), ("file", 0, 3), ("end",)]
    assert exchange.closes, "the application's count is not to be relied on"


def test_a_head_without_content_leaves_at_the_end() -> None:
    exchange, stream = begin()
    exchange.start(head(stream))
    exchange.finish()

    assert stream.calls == [("begin", 200, None, b""), ("end",)]


def test_a_response_shorter_than_announced_is_broken_off() -> None:
    exchange, stream = begin()
    exchange.start(head(stream, length=5))
    exchange.write(b"abc")
    exchange.finish()

    assert stream.calls == [("begin", 200, None, b""), ("send", b"abc"), ("break off",)]
    assert exchange.closes


def test_a_response_of_which_nothing_was_sent_becomes_an_error() -> None:
    exchange, stream = begin()
    exchange.start(head(stream, length=5))
    exchange.fail(reason="why")

    assert stream.calls == [("begin", 500, 31, b"500 Internal Server Error: why\n"), ("end",)]


def test_the_client_is_invited_once_and_not_behind_a_response() -> None:
    exchange, stream = begin("POST")
    exchange.request.body, exchange.request.expects_continue = Body(), True
    exchange.want_body()
    exchange.want_body()
    assert stream.calls == [("want", True), ("want", False)]

    exchange, stream = begin("POST")
    exchange.request.body, exchange.request.expects_continue = Body(), True
    exchange.start(head(stream))
    exchange.want_body()
    assert stream.calls == [("want", False)]


def test_the_end_of_a_tunnel_is_the_end_of_its_request() -> None:
    exchange, stream = begin()
    exchange.accept_tunnel([])
    exchange.end_tunnel()
    exchange.fail()

    assert stream.calls == [("accept",), ("end tunnel",)]
    assert (exchange.status, exchange.started, exchange.closes) == (101, True, True)


@pytest.mark.parametrize("end", ["finish", "abandon", "lose"])
def test_the_application_is_told_of_the_end_once(end: str) -> None:
    exchange, stream = begin()
    told: list[str] = []
    exchange.on_gone = lambda: told.append(end)
    exchange.start(head(stream))
    getattr(exchange, end)()
    if end == "lose":
        exchange.notify_gone()
    exchange.finish()

    assert told == [end]


CALLS = st.lists(
    st.sampled_from(["start", "write", "send_file", "finish", "respond", "fail", "abandon", "want_body", "lose"]),
    max_size=10,
)


@given(CALLS, st.none() | st.integers(0, 20), st.sampled_from(["GET", "HEAD"]), st.sampled_from(["200 OK", "204 -"]))
def test_whatever_an_application_calls_a_driver_is_asked_in_order_and_for_nothing_behind_the_end(
    calls: list[str], length: int | None, method: str, status: str
) -> None:
    exchange, stream = begin(method)
    if status == "204 -":
        length = None
    for call in calls:
        if call in {"write", "send_file", "finish"}:
            if not exchange.started:
                continue  # the interfaces refuse it before
        elif call in {"start", "respond"} and exchange.started:
            continue
        had_ended, before = exchange.ended, (len(stream.calls), exchange.status, exchange.started)
        arguments: dict[str, tuple[Any, ...]] = {
            "start": (head(stream, status, length),),
            "write": (b"12345",),
            "send_file": (os.devnull, 0, 7),
            "respond": (head(stream, status, length), b"12345"),
        }
        if had_ended and call in {"abandon", "lose"}:
            continue  # for callers that know
        getattr(exchange, call)(*arguments.get(call, ()))
        if had_ended:
            assert (len(stream.calls), exchange.status, exchange.started) == before, f"{call} behind the end"
    names = [name for name, *_ in stream.calls if name != "want"]

    assert names.count("begin") <= 1
    assert names.count("end") + names.count("break off") <= 1
    if "begin" in names:
        assert names[0] == "begin"
    if "end" in names:
        assert names[-1] == "end"
        assert "begin" in names
    sent = sum(len(each[-1]) for each in stream.calls if each[0] in {"send", "begin"})
    sent += sum(each[2] for each in stream.calls if each[0] == "file")
    assert exchange.sent == sent
    if length is not None and exchange.status == 200:
        assert sent <= length
    if (method == "HEAD" or status == "204 -") and exchange.status in {200, 204}:
        assert sent == 0
