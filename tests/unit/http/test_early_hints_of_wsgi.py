"""`environ["wsgi.early_hints"]`: 103 before the response of a WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from http2_client import Http2Client
from http_client import APPLICATIONS

from corepool_http import Http, HttpOptions
from corepool_http.fields import hint_lines
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from corepool.testing.conversation import Conversation, Conversations

STYLE = ("Link", "</style.css>; rel=preload; as=style")
SCRIPT = ("Link", "</app.js>; rel=preload; as=script")
POLICY = ("Content-Security-Policy", "default-src 'self'")


@pytest.fixture
def conversation(connection: Conversations) -> Conversation:
    options = {"target": "hints:wsgi", "interface": "wsgi", "directory": str(APPLICATIONS)}
    return connection(Http(HttpOptions.model_validate(options)))


def target(*hints: list[tuple[str, str]]) -> str:
    return "/?" + quote(repr(hints))


def test_hints_come_at_once_and_none_behind_the_head(conversation: Conversation) -> None:
    conversation.send(f"GET {target([STYLE, POLICY], [SCRIPT])} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    first = "HTTP/1.1 103 Early Hints\r\n" + "".join(f"{name}: {value}\r\n" for name, value in (STYLE, POLICY)) + "\r\n"
    second = "HTTP/1.1 103 Early Hints\r\nLink: </app.js>; rel=preload; as=script\r\n\r\n"
    answer = conversation.receive().decode()
    assert answer.startswith(first + second + "HTTP/1.1 200 OK\r\n")
    assert answer.count("103") == 2


def test_an_old_client_gets_none(conversation: Conversation) -> None:
    conversation.send(f"GET {target([STYLE])} HTTP/1.0\r\nHost: a\r\n\r\n".encode())
    assert conversation.receive().startswith(b"HTTP/1.1 200 OK\r\n")


def test_they_are_sent_over_http2(conversation: Conversation) -> None:
    client = Http2Client.of(conversation)
    stream = client.begin(target([STYLE, POLICY], [SCRIPT]))
    client.read_all()
    answer = client.answers[stream]
    lower = [(name.lower(), value) for name, value in (STYLE, POLICY)]
    assert answer.interim == [(103, lower), (103, [("link", SCRIPT[1])])]
    assert (answer.status, answer.content) == (200, b"first second")


WRONG: list[object] = [
    None,
    "Link",
    {"Link": "</a>"},
    [("Link",)],
    [("Link", 5)],
    [(b"Link", b"</a>")],
    [("Link", "</a>\r\nSet-Cookie: a=b")],
    [("Li nk", "</a>")],
    [("", "</a>")],
    [("Link", "</\u20ac>")],
    [("Content-Length", "5")],
    [("Connection", "close")],
    [("Link", "a" * 70_000)],
]


@pytest.mark.parametrize("headers", WRONG, ids=lambda value: repr(value)[:30])
def test_headers_that_are_none_fail_their_request(conversation: Conversation, headers: object) -> None:
    with pytest.raises(ResponseError):
        hint_lines(headers)
    if len(repr(headers)) < 1000:
        conversation.send(f"GET /?{quote(repr([headers]))} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = conversation.receive()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"103" not in answer
