"""Trailers of responses and requests, and early hints, over both drivers of the exchange."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from framed import Framed, frame, frames
from http_client import APPLICATIONS, parse

from corepool_http import Http, HttpOptions
from corepool_http.fields import add_trailers, link_lines
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations

Message = dict[str, Any]
START: Message = {"type": "start", "status": 200, "headers": [(b"trailer", b"x-sum")], "trailers": True}
TRAILERS: Message = {"type": "trailers", "headers": [(b"X-Sum", b"6"), (b"X-Sum", b" 7 ")]}
HINT: Message = {"type": "early_hint", "links": [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]}
LINES = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n"


def body(data: bytes = b"abc", *, more: bool = False) -> Message:
    return {"type": "body", "body": data, "more_body": more}


@pytest.fixture
def http(connection: Conversations) -> Conversation:
    return connection(Http(options()))


@pytest.fixture
def framed(connection: Conversations) -> Conversation:
    return connection(Framed(options()))


def options() -> HttpOptions:
    return HttpOptions.model_validate({"target": "messages:app", "directory": str(APPLICATIONS)})


def target(messages: list[Message]) -> str:
    return "/?" + quote(repr(messages))


def ask(
    client: Conversation, *messages: Message, te: str = "trailers", method: str = "GET", version: str = "1.1"
) -> bytes:
    client.send(f"{method} {target([*messages])} HTTP/{version}\r\nHost: a\r\nTE: {te}\r\n\r\n".encode())
    return client.receive()


def ask_framed(client: Conversation, *messages: Message, te: str = "trailers", method: str = "GET") -> list[Message]:
    client.send(frame(stream=1, method=method, target=target([*messages]), headers=[("host", "a"), ("te", te)]))
    return frames(client.receive())


@pytest.mark.parametrize("messages", [[body()], [body(b"a", more=True), body(b"bc")], [body(more=True), body(b"")]])
def test_trailers_follow_the_content(http: Conversation, framed: Conversation, messages: list[Message]) -> None:
    head, _, content = ask(http, START, *messages, TRAILERS).partition(b"\r\n\r\n")
    assert b"\r\nTrailer: x-sum\r\n" in head + b"\r\n"
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert content.endswith(b"\r\n0\r\nx-sum: 6\r\nx-sum: 7\r\n\r\n")
    assert ask(http, {**START, "trailers": False}, body()).startswith(b"HTTP/1.1 200"), "the connection goes on"

    begin, *_, trailers, end = ask_framed(framed, START, *messages, TRAILERS)
    assert ["trailer", "x-sum"] in begin["headers"]
    assert trailers["trailers"] == [["x-sum", "6"], ["x-sum", "7"]]
    assert end["end"] == "whole"


def test_trailers_come_in_several_messages(http: Conversation, framed: Conversation) -> None:
    first = {**TRAILERS, "more_trailers": True}
    messages = [START, body(), first, {"type": "trailers", "headers": [(b"y", b"8")]}]
    assert ask(http, *messages).endswith(b"0\r\nx-sum: 6\r\nx-sum: 7\r\ny: 8\r\n\r\n")
    assert ask_framed(framed, *messages)[-2]["trailers"] == [["x-sum", "6"], ["x-sum", "7"], ["y", "8"]]


@pytest.mark.parametrize("te", ["gzip", "trailersx", "x;trailers", ""])
def test_a_client_that_did_not_ask_for_trailers_gets_none(http: Conversation, framed: Conversation, te: str) -> None:
    answer = ask(http, START, body(), TRAILERS, te=te)
    assert answer.endswith(b"3\r\nabc\r\n0\r\n\r\n")
    assert b"railer" not in answer, "the announcement is left out, too"
    assert all("trailers" not in each for each in ask_framed(framed, START, body(), TRAILERS, te=te))


@pytest.mark.parametrize("te", ["trailers", "gzip;q=0.5, Trailers", "trailers ;q=1"])
def test_trailers_are_asked_for_in_a_list(http: Conversation, te: str) -> None:
    assert b"x-sum: 6" in ask(http, START, body(), TRAILERS, te=te)


def test_a_response_without_a_place_for_trailers_is_whole_without(http: Conversation, framed: Conversation) -> None:
    with_length = {**START, "headers": [(b"content-length", b"3")]}
    assert ask(http, with_length, body(), TRAILERS).endswith(b"\r\n\r\nabc")
    assert ask_framed(framed, with_length, body(), TRAILERS)[-2]["trailers"]
    assert ask(http, START, body(), TRAILERS, method="HEAD").endswith(b"\r\n\r\n")
    assert b"x-sum: 6" not in ask(http, {**START, "status": 204}, body(b""), TRAILERS)
    assert ask(http, START, body(), TRAILERS, version="1.0").endswith(b"\r\n\r\nabc")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "messages",
    [
        [{**START, "trailers": False}, body(more=True), TRAILERS],
        [START, TRAILERS],
        [START, body(more=True), TRAILERS],
        [START, body(), body()],
        [START, body(), {**TRAILERS, "headers": [(b"content-length", b"3")]}],
        [START, body(), {**TRAILERS, "headers": [(b"x y", b"3")]}],
        [START, body(), {**TRAILERS, "headers": [(b"x", b"3\r\ny: z")]}],
        [START, body(), {**TRAILERS, "headers": 5}],
        [START, body()],
    ],
)
def test_trailers_out_of_turn_or_malformed_break_the_response_off(
    http: Conversation, framed: Conversation, messages: list[Message]
) -> None:
    answer = ask(http, *messages)
    assert not answer.endswith(b"0\r\n\r\n")
    assert b"x-sum: 6" not in answer
    [*_, end] = ask_framed(framed, *messages)
    assert end["end"] == ("broken" if len(messages) > 2 or messages[-1] == body() else "whole")


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_trailers_of_a_request_are_with_its_last_content(http: Conversation, size: int) -> None:
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum:  6 \r\nY:\r\n\r\n"
    for at in range(0, len(data), size):
        http.send(data[at : at + size])
    [response] = parse(http.receive(), ["POST"])
    assert ast.literal_eval(response.body.decode()) == (b"abc", [(b"x-sum", b"6"), (b"y", b"")])


def test_a_request_without_trailers_has_no_such_key(http: Conversation, framed: Conversation) -> None:
    http.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert parse(http.receive(), ["POST"])[0].body == b"(b'abc', None)"
    framed.send(frame(stream=1, method="POST", target="/", headers=[("host", "a")], more=True))
    framed.send(frame(stream=1, content="abc", trailers=[("x", "y")]))
    assert frames(framed.receive())[1]["content"] == "(b'abc', [(b'x', b'y')])"


def test_early_hints_come_before_the_head(http: Conversation, framed: Conversation) -> None:
    start = {**START, "trailers": False}
    for messages in ([HINT, start, body()], [start, HINT, body()]):
        answer = ask(http, *messages)
        assert answer.startswith(LINES + b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nabc")
        hints, head, *_ = ask_framed(framed, *messages)
        assert hints["hints"] == "Link: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n"
        assert head["status"] == 200
    assert ask(http, HINT, HINT, start, body()).startswith(LINES + LINES + b"HTTP/1.1 200 OK\r\n")


def test_no_early_hints_behind_the_head_nor_to_an_old_client(http: Conversation, framed: Conversation) -> None:
    messages = [{**START, "trailers": False}, body(more=True), HINT, body(b"")]
    assert b"103" not in ask(http, *messages)
    assert all("hints" not in each for each in ask_framed(framed, *messages))
    assert ask(http, HINT, *messages, version="1.0").startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("links", [None, [], 5, b"</a>", ["</a>"], [b"</a>\r\nSet-Cookie: a=b"], [b"a" * 70_000]])
def test_links_that_are_none_fail_their_request(http: Conversation, links: object) -> None:
    with pytest.raises(ResponseError):
        link_lines(links)
    if len(repr(links)) < 1000:
        answer = ask(http, {"type": "early_hint", "links": links})
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"103" not in answer


def test_trailers_of_all_messages_are_bounded_together() -> None:
    found: list[tuple[bytes, bytes]] = []
    for _ in range(65):
        add_trailers(found, [(b"x", b"y" * 1000)])
    with pytest.raises(ResponseError, match="65536 bytes of trailers"):
        add_trailers(found, [(b"x", b"y" * 1000)])
