"""HTTP/2 behind the exchange: applications are served as over HTTP/1, on a stream for each request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from framed_client import SCRIPTS, from_http1
from framed_client import Answer as Neutral
from http2_client import Http2Client
from http_client import APPLICATIONS, request
from scripted_pool import script

from corepool.hot.leaving import notify_drain
from corepool_http import Http, HttpOptions

if TYPE_CHECKING:
    from pathlib import Path

    from http2_client import Answer

    from corepool.testing.conversation import Conversations

# In the loop, WSGI leaves its content to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

OF_THE_WIRE = {"connection", "transfer-encoding", "date", "content-length"}


def options(**settings: object) -> HttpOptions:
    values = settings if "root" in settings else {"directory": str(APPLICATIONS), **settings}
    return HttpOptions.model_validate(values)


def neutral(answer: Answer) -> Neutral:
    headers = [(name, value) for name, value in answer.headers if name not in OF_THE_WIRE]
    return Neutral(answer.status, headers, answer.content, answer.is_whole)


def ask(client: Http2Client, target: str, *headers: tuple[str, str], method: str = "GET") -> Neutral:
    stream = client.begin(target, *headers, method=method)
    client.read_all()
    return neutral(client.answers[stream])


@pytest.mark.parametrize("mode", ["loop", "asgi"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("scripted", SCRIPTS)
def test_an_application_is_served_as_over_http1(
    connection: Conversations, mode: str, method: str, scripted: tuple[int, list[tuple[str, str]], list[bytes], str]
) -> None:
    protocol = Http(options(target="scripted:asgi" if mode == "asgi" else "scripted:wsgi"))
    target = script(mode, *scripted)
    answer = ask(Http2Client.of(connection(protocol)), target, method=method)
    client = connection(protocol)
    client.send(request(target, method=method, close=False))
    assert answer == from_http1(client.receive(), method)


FILES: list[tuple[str, str, tuple[tuple[str, str], ...]]] = [
    ("GET", "/a.txt", ()),
    ("HEAD", "/a.txt", ()),
    ("GET", "/a.txt", (("range", "bytes=2-4"),)),
    ("GET", "/a.txt", (("range", "bytes=2-4, 100000-199990"),)),
    ("GET", "/a.txt", (("range", "bytes=999999-"),)),
    ("GET", "/a.txt", (("if-modified-since", "Fri, 31 Dec 9999 23:59:59 GMT"),)),
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
    protocol = Http(options(root=str(tmp_path), listing=True))
    answer = ask(Http2Client.of(connection(protocol)), target, *headers, method=method)
    client = connection(protocol)
    client.send(request(target, *[f"{name}: {value}" for name, value in headers], method=method, close=False))
    expected = from_http1(client.receive(), method)
    if "multipart" in dict(expected.headers).get("content-type", ""):
        assert len(answer.content) == len(expected.content)
    else:
        assert answer == expected


@pytest.mark.parametrize("mode", ["loop", "asgi"])
@pytest.mark.parametrize(
    ("headers", "pieces", "end"),
    [([], [b"a", b"b"], "raise"), ([("Content-Length", "9")], [b"a", b"b"], "return"), ([], [b"a", b"b"], "panic")],
)
def test_a_response_that_breaks_off_is_reset_behind_its_content(
    connection: Conversations, mode: str, headers: list[tuple[str, str]], pieces: list[bytes], end: str
) -> None:
    client = Http2Client.of(connection(Http(options(target="scripted:asgi" if mode == "asgi" else "scripted:wsgi"))))
    answer = ask(client, script(mode, 200, headers, pieces, end))
    assert (answer.status, answer.content, answer.is_whole) == (200, b"ab", False)
    assert client.answers[1].reset == 2, "INTERNAL_ERROR"
    assert ask(client, script(mode, 200, [], [b"next"])).content == b"next", "its connection goes on"


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_streams_share_a_connection_and_their_content_arrives_in_pieces(
    connection: Conversations, interface: str
) -> None:
    client = Http2Client.of(connection(Http(options(target=f"mirror:{interface}"))))
    one, two = (client.begin(f"/{number}", method="POST", more=True) for number in (1, 3))
    client.send(two, b"first, ")
    client.send(one, b"first, ")
    client.send(one, b"last of 1", ends=True)
    client.send(two, b"last of 3", ends=True)
    client.read_all()
    told = {number: json.loads(client.answers[number].content) for number in (one, two)}
    assert {number: each["content"] for number, each in told.items()} == {
        1: "first, last of 1",
        3: "first, last of 3",
    }
    assert {number: each.get("path") or each["PATH_INFO"] for number, each in told.items()} == {1: "/1", 3: "/3"}


def test_a_wsgi_application_is_told_what_it_would_be_told_over_http1(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:wsgi"))))
    answer = ask(client, "/a%20b?c=d", ("x-one", "1"), ("cookie", "a=b"), ("cookie", "c=d"))
    told = json.loads(answer.content)
    assert told["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert (told["HTTP_HOST"], told["HTTP_COOKIE"], told["HTTP_X_ONE"]) == ("a", "a=b; c=d", "1")
    assert (told["PATH_INFO"], told["QUERY_STRING"], told["RAW_URI"]) == ("/a b", "c=d", "/a%20b?c=d")
    assert not [name for name in told if name.startswith("HTTP_:")]


def test_an_asgi_application_is_told_what_it_would_be_told_over_http1(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:asgi"))))
    told = json.loads(ask(client, "/a%20b?c=d", ("x-one", "1")).content)
    assert (told["http_version"], told["scheme"], told["path"], told["raw_path"]) == ("2", "http", "/a b", "/a%20b")
    assert told["headers"] == [["host", "a"], ["x-one", "1"]]


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_client_that_waits_is_invited(connection: Conversations, interface: str) -> None:
    client = Http2Client.of(connection(Http(options(target=f"mirror:{interface}"))))
    stream = client.begin("/", ("expect", "100-continue"), method="POST", more=True)
    client.read_all()
    assert client.answers[stream].interim == [(100, [])]
    client.send(stream, b"abc", ends=True)
    client.read_all()
    assert json.loads(client.answers[stream].content)["content"] == "abc"


def test_a_stream_that_is_reset_costs_no_other(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:asgi"))))
    one, two = (client.begin("/", method="POST", more=True) for _ in range(2))
    client.reset(one)
    client.send(two, b"abc", ends=True)
    client.read_all()
    assert json.loads(client.answers[two].content)["content"] == "abc"
    assert not client.answers[one].is_whole


def test_the_responses_of_one_read_leave_in_one_piece(connection: Conversations) -> None:
    conversation = connection(Http(options(target="scripted:wsgi")))
    client = Http2Client.of(conversation)
    client.read_all()
    for _ in range(10):
        client.begin(script("loop", 200, [], [b"x"]), at_once=False)
    with_count = conversation.conn.bytes_out
    client.flush()
    assert conversation.conn.bytes_out > with_count
    client.read_all()
    assert [answer.content for answer in client.answers.values()] == [b"x"] * 10


def test_an_application_waits_for_the_window_of_its_own_stream(connection: Conversations) -> None:
    conversation = connection(Http(options(target="mirror:asgi")))
    client = Http2Client.of(conversation, takes=False)
    endless = client.begin("/stream")
    client.read_all()
    assert len(client.answers[endless].content) == 65_535, "its window, and that of the connection"
    client.take(1_000_000)
    small = client.begin("/small")
    client.read_all()
    assert client.answers[small].is_whole, "another one has a window of its own"
    assert len(client.answers[endless].content) == 65_535
    client.take(100_000, endless)
    client.read_all()
    assert len(client.answers[endless].content) == 165_535


def test_an_application_waits_for_a_client_that_does_not_read_its_connection(connection: Conversations) -> None:
    conversation = connection(Http(options(target="mirror:asgi")))
    client = Http2Client.of(conversation, window=2**31 - 1)
    client.take(2**30)
    conversation.stop_reading()
    client.begin("/stream")
    assert 0 < conversation.conn.buffered < 10 * 65_536
    conversation.reset()
    assert conversation.conn.closed


def test_the_small_response_comes_before_the_end_of_the_large_one(connection: Conversations, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(8_000_000))
    (tmp_path / "small").write_bytes(b"small")
    conversation = connection(Http(options(root=str(tmp_path))))
    client = Http2Client.of(conversation, window=2**31 - 1)
    client.take(2**30)
    conversation.stop_reading()
    large = client.begin("/large")
    small = [client.begin("/small") for _ in range(50)]
    conversation.read_on()
    while not client.answers[large].is_whole:
        assert client.read()
    assert client.order == [*small, large]


def test_urgent_responses_come_first_and_the_others_as_asked(connection: Conversations, tmp_path: Path) -> None:
    for name in "abcd":
        (tmp_path / name).write_bytes(bytes(500_000))
    conversation = connection(Http(options(root=str(tmp_path))))
    client = Http2Client.of(conversation, window=2**31 - 1)
    client.read_all()
    late, first, second, urgent = (
        client.begin(f"/{name}", ("priority", value))
        for name, value in (("a", "u=5"), ("b", "u=3"), ("c", "u=3"), ("d", "u=0"))
    )
    client.read_all()
    client.take(2**30)
    while not client.answers[late].is_whole:
        assert client.read()
    assert client.order == [urgent, first, second, late]


def test_a_websocket_has_a_stream_of_its_own(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:asgi", ping_interval=0))))
    client.read_all()
    stream = client.open_tunnel("/", ("sec-websocket-protocol", "a, b"))
    client.read_all()
    answer = client.answers[stream]
    assert (answer.status, answer.header("sec-websocket-protocol")) == (200, "b")
    assert answer.content[:1] == b"\x81"
    told = json.loads(answer.content[4:])
    assert (told["http_version"], told["scheme"]) == ("2", "ws")
    answer.content = b""

    client.send(stream, b"\x82\x83\0\0\0\0abc\x81\x8f\0\0\0\0how many bytes?")
    client.read_all()
    assert answer.content == b"\x81\x013"
    client.send(stream, b"\x88\x82\0\0\0\0\x03\xe8")
    client.read_all()
    assert (answer.content, answer.is_whole) == (b"\x81\x013\x88\x02\x03\xe8", True)
    assert ask(client, "/").status == 200, "its connection goes on"


def test_a_websocket_of_another_version_is_refused(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:asgi"))))
    client.read_all()
    stream = client.open_tunnel("/", version="12")
    client.read_all()
    answer = client.answers[stream]
    assert (answer.status, answer.header("upgrade")) == (426, None)


def test_wsgi_has_no_websockets(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:wsgi"))))
    client.read_all()
    assert client.h2.remote_settings.enable_connect_protocol == 0


@pytest.mark.parametrize("place", [1, 3, 10, 23])
def test_a_preface_in_pieces_is_one(connection: Conversations, place: int) -> None:
    conversation = connection(Http(options(target="mirror:wsgi")))
    pieces: list[bytes] = []
    client = Http2Client(pieces.append, conversation.receive)
    client.begin("/")
    data = b"".join(pieces)
    conversation.send(data[:place])
    conversation.send(data[place:])
    client.send_by(conversation.send)
    client.read_all()
    assert client.answers[1].status == 200


@pytest.mark.parametrize("first", ["P", "PR", "PRI", "PRI * HTTP/2.0\r\n"])
def test_other_requests_that_begin_alike_are_of_http1(connection: Conversations, first: str) -> None:
    conversation = connection(Http(options(target="mirror:wsgi")))
    rest = {"P": "OST / HTTP/1.1", "PR": "OPFIND / HTTP/1.1", "PRI": "NT / HTTP/1.1"}.get(first, "Host: a")
    conversation.send(first.encode())
    conversation.send(f"{rest}\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
    assert conversation.receive()[:13] in {b"HTTP/1.1 200 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 ", b"HTTP/1.1 400 "}


def test_without_http2_its_preface_is_a_version_that_is_not_spoken(connection: Conversations) -> None:
    protocol = Http(options(target="mirror:wsgi", http2=False))
    conversation = connection(protocol)
    conversation.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert conversation.receive().startswith(b"HTTP/1.1 505 ")
    assert protocol.alpn == ("http/1.1",)


def test_an_upgrade_to_h2c_is_ignored(connection: Conversations) -> None:
    conversation = connection(Http(options(target="mirror:wsgi")))
    wish = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    conversation.send(request("/", *wish, close=False))
    assert conversation.receive().startswith(b"HTTP/1.1 200 ")


def test_a_drain_loses_no_request_that_was_on_its_way(connection: Conversations) -> None:
    conversation = connection(Http(options(target="mirror:asgi")))
    client = Http2Client.of(conversation)
    client.read_all()
    upload = client.begin("/", method="POST", more=True)
    notify_drain(conversation.conn)
    conversation.conn.flush()
    late = client.begin("/late")  # sent before the GOAWAY was read
    client.read_all()
    assert client.goaways[0] == (0, 2**31 - 1)
    client.read_all()
    assert client.goaways[1] == (0, late), "the client's answer to the ping"
    assert client.answers[late].is_whole
    client.send(upload, b"abc", ends=True)
    client.read_all()
    assert json.loads(client.answers[upload].content)["content"] == "abc"
    assert conversation.conn.closed


def test_the_end_of_the_clients_side_lets_requests_that_have_come_finish(connection: Conversations) -> None:
    conversation = connection(Http(options(target="mirror:wsgi")))
    client = Http2Client.of(conversation)
    upload = client.begin("/", method="POST", more=True)
    whole = client.begin("/")
    conversation.end()
    client.read_all()
    assert client.answers[whole].status == 200
    assert client.answers[upload].status == 400
    assert conversation.conn.closed


def test_more_requests_than_one_turn_serves_are_all_answered(connection: Conversations) -> None:
    client = Http2Client.of(connection(Http(options(target="mirror:wsgi"))))
    client.read_all()
    for number in range(100):
        client.begin(f"/{number}", at_once=False)
    client.flush()
    client.read_all()
    assert [json.loads(answer.content)["PATH_INFO"] for answer in client.answers.values()] == [
        f"/{number}" for number in range(100)
    ]
