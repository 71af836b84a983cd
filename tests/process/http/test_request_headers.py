"""Headers in several lines: each kind is read as RFC 9110 says, and no line is left unjudged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from http_client import APPLICATIONS, Response, parse, request
from hypothesis import given
from hypothesis import strategies as st

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool_http.message import ONCE, RefusedError, Section

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTENER = (
    '[[listener]]\nname = "{name}"\nbind = ["tcp://127.0.0.1:0"]\nprotocol = "http"\n[listener.options]\n{options}\n'
)
OF_APPLICATION = 'target = "mirror:{name}"\ndirectory = "{here}"'


class Urls(NamedTuple):
    wsgi: str
    asgi: str
    files: str


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """Serve both kinds of applications, and files, in one pool."""
    root = tmp_path_factory.mktemp("root")
    (root / "a.txt").write_text("0123456789")
    (root / "a.txt.gz").write_text("packed")
    toml = "[pool]\nworkers = 1\n"
    for name in ("wsgi", "asgi"):
        toml += LISTENER.format(name=name, options=OF_APPLICATION.format(name=name, here=APPLICATIONS))
    toml += LISTENER.format(name="files", options=f'root = "{root}"')
    with Pools() as pools:
        yield Urls(*pools(toml).urls())


def ask(url: str, *headers: str, path: str = "/", method: str = "GET", content: bytes = b"") -> Response:
    with connect(url) as sock:
        sock.sendall(request(path, *headers, method=method, content=content))
        [response] = parse(receive_all(sock), [method])
    return response


SINGLE = {
    "Host": ("a", "b"),
    "Content-Type": ("text/plain", "application/json"),
    "Content-Range": ("bytes 0-1/2", "bytes 0-1/3"),
    "Authorization": ("Basic YTpi", "Basic Yzpk"),
    "Proxy-Authorization": ("Basic YTpi", "Basic Yzpk"),
    "Origin": ("http://a", "http://b"),
    "Range": ("bytes=0-1", "bytes=2-3"),
    "If-Range": ('"a"', '"b"'),
    "Sec-WebSocket-Key": ("AAAAAAAAAAAAAAAAAAAAAA==", "BAAAAAAAAAAAAAAAAAAAAA=="),
    "Sec-WebSocket-Version": ("13", "8"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_two_lines_of_a_header_that_decides_something_are_refused(urls: Urls, name: str) -> None:
    for first, second in (SINGLE[name], SINGLE[name][::-1], SINGLE[name][:1] * 2):
        for url in urls:
            response = ask(url, f"{name}: {first}", "X-Between: 1", f"{name.upper()}: {second}")
            assert (response.status, response.header("connection")) == (400, "close")


def test_the_names_that_may_be_there_once_are_all_tried() -> None:
    assert {name.lower().encode() for name in SINGLE} == ONCE - {b"content-length"}  # llhttp judges that one


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["chunked"], 200),
        (["Chunked "], 200),
        (["gzip, chunked"], 501),
        (["gzip", "chunked"], 501),
        (["identity", "chunked"], 501),
        (["xchunked", "chunked"], 501),
        (["gzip", "deflate", "chunked"], 501),
        (["gzip;q=1", "chunked"], 501),
        (["chunked", "gzip"], 400),
        (["chunked, gzip"], 400),
        (["gzip"], 400),
        (["identity"], 400),
        (["chunked", "chunked"], 400),
        (["chunked, chunked"], 400),
        (["chunked", "gzip", "chunked"], 400),
        (["chunked;q=1"], 400),
        (['"chunked"'], 400),
        (["", "chunked"], 400),
        (["chunked", ""], 400),
        ([",chunked"], 400),
        ([""], 400),
    ],
)
def test_transfer_codings_are_judged_in_all_lines(urls: Urls, lines: list[str], status: int) -> None:
    body = b"3\r\nabc\r\n0\r\n\r\n"
    for url in (urls.wsgi, urls.asgi):
        with connect(url) as sock:
            sock.sendall(request("/", *(f"Transfer-Encoding: {line}" for line in lines), method="POST") + body)
            [response] = parse(receive_all(sock), ["POST"])
        assert response.status == status
        if status == 200:
            assert json.loads(response.body)["content"] == "abc"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["100-continue"], 200),
        (["100-Continue", "100-continue"], 200),
        (["100-continue, 100-continue"], 200),
        (["a-miracle", "100-continue"], 417),
        (["100-continue", "a-miracle"], 417),
        (["100-continue, a-miracle"], 417),
    ],
)
def test_expectations_are_judged_in_all_lines(urls: Urls, lines: list[str], status: int) -> None:
    expectations = [f"Expect: {line}" for line in lines]
    with connect(urls.asgi) as sock:
        sock.sendall(request("/", *expectations, method="POST", content=b"abc"))
        answer = receive_all(sock).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert [each.status for each in parse(answer, ["POST"])] == [status]


def test_an_application_sees_every_line(urls: Urls) -> None:
    lines = ["X-A: 1", "Cookie: a=b", "x-a: 2", "Cookie: c=d", "X-A:", "Accept: x", "Accept: y", "If-Match: z"]
    environ = json.loads(ask(urls.wsgi, *lines).body)
    assert environ["HTTP_COOKIE"] == "a=b; c=d"
    assert (environ["HTTP_X_A"], environ["HTTP_ACCEPT"]) == ("1,2,", "x,y")
    headers = json.loads(ask(urls.asgi, *lines).body)["headers"]
    expected = [[name.lower(), value.strip()] for name, _, value in (line.partition(":") for line in lines)]
    assert [each for each in headers if each[0] not in {"host", "connection"}] == expected


def test_files_read_each_line_of_a_list(urls: Urls) -> None:
    etag = ask(urls.files, path="/a.txt").header("etag")
    for lines in (['"other"', f"{etag}"], [f"{etag}", '"other"'], ['"x,y"', f"W/{etag}", "W/x"]):
        assert ask(urls.files, *(f"If-None-Match: {line}" for line in lines), path="/a.txt").status == 304
    for lines in (['"other"', f"{etag}"], [f"{etag}", '"other"']):
        assert ask(urls.files, *(f"If-Match: {line}" for line in lines), path="/a.txt").status == 200
    assert ask(urls.files, 'If-Match: "other"', 'If-Match: "another"', path="/a.txt").status == 412
    for lines in (["gzip", "br"], ["br", "gzip"], ["identity", "gzip;q=1"]):
        response = ask(urls.files, *(f"Accept-Encoding: {line}" for line in lines), path="/a.txt")
        assert response.header("content-encoding") == "gzip"


def test_two_dates_are_no_condition(urls: Urls) -> None:
    """RFC 9110, 13.1.3 and 13.1.4: a recipient must ignore them."""
    now, past = "Fri, 01 Jan 2100 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT"
    for dates in ((now, past), (past, now)):
        for name in ("If-Modified-Since", "If-Unmodified-Since"):
            assert ask(urls.files, *(f"{name}: {date}" for date in dates), path="/a.txt").status == 200


LINES = st.lists(
    st.tuples(st.sampled_from([b"a", b"b", b"cookie", b"host", b"range"]), st.binary(max_size=8)), max_size=8
)


@given(LINES)
def test_no_reader_prefers_a_line(lines: list[tuple[bytes, bytes]]) -> None:
    names = [name for name, _ in lines]
    if any(names.count(name) > 1 for name in ONCE):
        with pytest.raises(RefusedError):
            Section(lines, keep_alive=True)
        return
    section = Section(lines, keep_alive=True)
    for name in (b"a", b"b", b"cookie", b"host", b"range"):
        values = [value for key, value in lines if key == name]
        assert (name in section) == bool(values) == section.has_any({name})
        assert section.single(name) == (values[0] if len(values) == 1 else None)
        assert section.joined(name) == ((b"; " if name == b"cookie" else b",").join(values) if values else None)
    assert section.headers == lines


@pytest.mark.parametrize(
    ("lines", "members"),
    [
        ([], []),
        ([b""], []),
        ([b" a ,\tb\t"], [b"a", b"b"]),
        ([b"a", b"", b",,", b"b, c"], [b"a", b"b", b"c"]),
        ([b'"x,y", z'], [b'"x,y"', b"z"]),
        ([b'a="x\\",y", z'], [b'a="x\\",y"', b"z"]),
        ([b'"open, x'], [b'"open, x']),
        ([b'W/"1", "2"'], [b'W/"1"', b'"2"']),
    ],
)
def test_lists(lines: list[bytes], members: list[bytes]) -> None:
    assert Section([(b"a", line) for line in lines], keep_alive=True).listed(b"a") == members


def test_a_list_costs_what_its_length_costs() -> None:
    """Quotes, backslashes and commas without end make no pattern look again and again."""
    for piece in (b'"', b'"\\', b'",', b',"a', b'\\"', b"a"):
        value = piece * 100_000
        assert Section([(b"a", value)], keep_alive=True).listed(b"a")
