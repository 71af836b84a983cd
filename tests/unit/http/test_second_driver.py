"""A second driver behind the same exchange: applications are served alike, and write no text of HTTP/1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from framed import Framed, frame, frames
from framed_client import SCRIPTS, Answer, answers, from_http1
from http_client import APPLICATIONS, request
from scripted_pool import script

from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.testing.conversation import Conversation, Conversations

# In the loop, WSGI leaves its content to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def options(**settings: object) -> HttpOptions:
    values = settings if "root" in settings else {"directory": str(APPLICATIONS), **settings}
    return HttpOptions.model_validate(values)


def ask(client: Conversation, target: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    lower = [(name.lower(), value) for name, value in headers]
    client.send(frame(stream=1, method=method, target=target, headers=[("host", "a"), *lower]))
    return answers(client.receive())[1]


def ask_http1(client: Conversation, target: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    lines = [f"{name}: {value}" for name, value in headers]
    client.send(request(target, *lines, method=method, close=False))
    return from_http1(client.receive(), method)


@pytest.mark.parametrize("mode", ["loop", "asgi"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scripted", SCRIPTS)
def test_an_application_is_served_as_over_http1(
    connection: Conversations, mode: str, method: str, scripted: tuple[int, list[tuple[str, str]], list[bytes], str]
) -> None:
    of_mode = options(target="scripted:asgi" if mode == "asgi" else "scripted:wsgi")
    target = script(mode, *scripted)
    framed = ask(connection(Framed(of_mode)), target, method=method)
    assert framed == ask_http1(connection(Http(of_mode)), target, method=method)


@pytest.mark.parametrize("mode", ["loop", "asgi"])
@pytest.mark.parametrize(
    ("headers", "pieces", "end"),
    [([], [b"a", b"b"], "raise"), ([("Content-Length", "9")], [b"a", b"b"], "return"), ([], [b"a", b"b"], "panic")],
)
def test_a_response_that_breaks_off_is_not_whole(
    connection: Conversations, mode: str, headers: list[tuple[str, str]], pieces: list[bytes], end: str
) -> None:
    client = connection(Framed(options(target="scripted:asgi" if mode == "asgi" else "scripted:wsgi")))
    answer = ask(client, script(mode, 200, headers, pieces, end))
    assert (answer.status, answer.content, answer.is_whole) == (200, b"ab", False)
    assert ask(client, script(mode, 200, [], [b"next"])).content == b"next", "its connection goes on"


FILES: list[tuple[str, str, tuple[tuple[str, str], ...]]] = [
    ("GET", "/a.txt", ()),
    ("HEAD", "/a.txt", ()),
    ("GET", "/a.txt", (("Range", "bytes=2-4"),)),
    ("GET", "/a.txt", (("Range", "bytes=99-"),)),
    ("GET", "/a.txt", (("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"),)),
    ("GET", "/folder", ()),
    ("GET", "/folder/", ()),
    ("GET", "/nothing", ()),
    ("POST", "/a.txt", ()),
    ("OPTIONS", "/a.txt", ()),
]


@pytest.mark.parametrize(("method", "target", "headers"), FILES)
def test_files_are_served_as_over_http1(
    connection: Conversations, tmp_path: Path, method: str, target: str, headers: tuple[tuple[str, str], ...]
) -> None:
    (tmp_path / "a.txt").write_bytes(b"0123456789" * 20_000)
    (tmp_path / "folder").mkdir()
    served = options(root=str(tmp_path), listing=True)
    framed = ask(connection(Framed(served)), target, *headers, method=method)
    assert framed == ask_http1(connection(Http(served)), target, *headers, method=method)


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_streams_share_a_connection_and_their_content_arrives_in_pieces(
    connection: Conversations, interface: str
) -> None:
    client = connection(Framed(options(target=f"mirror:{interface}")))
    for number in (1, 3):
        client.send(frame(stream=number, method="POST", target=f"/{number}", headers=[("host", "a")], more=True))
    for number in (3, 1):
        client.send(frame(stream=number, content="first, ", more=True) + frame(stream=5, content="of no request"))
    client.send(frame(stream=1, content="last of 1") + frame(stream=3, content="last of 3"))
    found = answers(client.receive())
    told = {number: json.loads(answer.content) for number, answer in found.items()}
    assert {number: each["content"] for number, each in told.items()} == {
        1: "first, last of 1",
        3: "first, last of 3",
    }
    assert {number: each.get("path") or each["PATH_INFO"] for number, each in told.items()} == {1: "/1", 3: "/3"}


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_client_that_waits_is_invited(connection: Conversations, interface: str) -> None:
    client = connection(Framed(options(target=f"mirror:{interface}")))
    client.send(frame(stream=1, method="POST", target="/", headers=[("host", "a")], more=True, waits=True))
    assert frames(client.receive()) == [{"stream": 1, "status": 100}]
    client.send(frame(stream=1, content="abc"))
    assert json.loads(answers(client.receive())[1].content)["content"] == "abc"


def test_a_stream_that_is_given_up_costs_no_other(connection: Conversations) -> None:
    client = connection(Framed(options(target="mirror:asgi")))
    for number in (1, 3):
        client.send(frame(stream=number, method="POST", target="/", headers=[("host", "a")], more=True))
    client.send(frame(stream=1, reset=True) + frame(stream=3, content="abc"))
    found = answers(client.receive())
    assert {number: json.loads(each.content)["content"] for number, each in found.items()} == {3: "abc"}


def test_an_application_waits_for_a_client_that_does_not_read(connection: Conversations) -> None:
    client = connection(Framed(options(target="mirror:asgi")))
    client.stop_reading()
    client.send(frame(stream=1, method="GET", target="/stream", headers=[("host", "a")]))
    assert 262_144 < client.conn.buffered < 10 * 262_144
    client.reset()
    assert client.conn.closed


def test_a_websocket_has_a_stream_of_its_own(connection: Conversations) -> None:
    client = connection(Framed(options(target="mirror:asgi", ping_interval=0)))
    headers = [("host", "a"), ("sec-websocket-version", "13"), ("sec-websocket-protocol", "a, b")]
    client.send(frame(stream=1, method="GET", target="/", headers=headers, tunnel=True))
    accepted, greeting = frames(client.receive())
    assert (accepted["status"], dict(accepted["headers"])) == (200, {"Sec-WebSocket-Protocol": "b"})
    assert greeting["content"][:1] == "\x81"

    client.send(frame(stream=1, content="\x82\x83\0\0\0\0abc\x81\x8f\0\0\0\0how many bytes?"))
    [told] = frames(client.receive())
    assert told["content"] == "\x81\x013"
    client.send(frame(stream=1, content="\x88\x82\0\0\0\0\x03\xe8"))
    echo, end = frames(client.receive())
    assert (echo["content"], end["end"]) == ("\x88\x02\x03\xe8", "whole")


def test_a_websocket_of_another_version_is_refused(connection: Conversations) -> None:
    client = connection(Framed(options(target="mirror:asgi")))
    client.send(frame(stream=1, method="GET", target="/", headers=[("host", "a")], tunnel=True))
    answer = answers(client.receive())[1]
    assert (answer.status, dict(answer.headers)["sec-websocket-version"]) == (426, "13")
