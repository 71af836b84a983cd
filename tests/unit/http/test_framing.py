"""How a response of HTTP/1 is delimited: by its status, its request and its length, never by two means at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.http1.framing import CHUNKED, CLOSE, LENGTH, NONE, Framing, encode_head, encode_switch
from corepool_http.message import Request, RequestLine, Section
from corepool_http.responses import Heads

if TYPE_CHECKING:
    from corepool_http.head import Head

heads = Heads("")


def request(method: str = "GET", version: str = "1.1") -> Request:
    return Request(RequestLine(method, b"/"), version, Section([(b"host", b"a")], keep_alive=True))


def head(status: str, *headers: tuple[str, str]) -> Head:
    return heads.of_text(status, headers)


def read(data: bytes) -> tuple[bytes, dict[bytes, list[bytes]], bytes]:
    """Return the status line, the header lines by their names, and the content."""
    section, _, content = data.partition(b"\r\n\r\n")
    line, *lines = section.split(b"\r\n")
    found: dict[bytes, list[bytes]] = {}
    for each in lines:
        name, _, value = each.partition(b": ")
        found.setdefault(name.lower(), []).append(value)
    return line, found, content


# status, headers, size, request -> framing, Content-Length, Transfer-Encoding: the table of http1/framing.py
ROWS = [
    ("204 No Content", (), 0, request(), NONE, None, None),
    ("204 No Content", (("Content-Length", "3"),), 0, request(), NONE, None, None),
    ("205 Reset Content", (), 0, request(), NONE, b"0", None),
    ("304 Not Modified", (), 0, request(), NONE, None, None),
    ("304 Not Modified", (("Content-Length", "3"),), 0, request(), NONE, b"3", None),
    ("200 OK", (("Content-Length", "3"),), None, request("HEAD"), NONE, b"3", None),
    ("200 OK", (), 3, request("HEAD"), NONE, b"3", None),
    ("200 OK", (), 0, request("HEAD"), NONE, None, None),
    ("200 OK", (), None, request("HEAD"), NONE, None, None),
    ("200 OK", (("Content-Length", "3"),), None, request(), LENGTH, b"3", None),
    ("200 OK", (("Content-Length", "3"),), 3, request(version="1.0"), LENGTH, b"3", None),
    ("200 OK", (), 3, request(), LENGTH, b"3", None),
    ("200 OK", (), 0, request(), LENGTH, b"0", None),
    ("200 OK", (), 3, request(version="1.0"), LENGTH, b"3", None),
    ("200 OK", (), None, request(), CHUNKED, None, b"chunked"),
    ("200 OK", (("Transfer-Encoding", "chunked"),), None, request(), CHUNKED, None, b"chunked"),
    ("200 OK", (), None, request(version="1.0"), CLOSE, None, None),
]


@pytest.mark.parametrize(("status", "headers", "size", "asked", "framing", "length", "coding"), ROWS)
def test_each_row_of_the_table(
    status: str,
    headers: tuple[tuple[str, str], ...],
    size: int | None,
    asked: Request,
    framing: Framing,
    length: bytes | None,
    coding: bytes | None,
) -> None:
    data, found = encode_head(head(status, *headers), size, b"", asked, False)
    line, fields, content = read(data)

    assert found is framing
    assert line == b"HTTP/1.1 " + status.encode()
    assert fields.get(b"content-length", [None]) == [length]
    assert fields.get(b"transfer-encoding", [None]) == [coding]
    assert content == b""


# version, closes, upgrades, framing by the end -> Connection
CONNECTIONS = [
    ("1.1", False, False, 3, None),
    ("1.1", True, False, 3, b"close"),
    ("1.0", False, False, 3, b"keep-alive"),
    ("1.0", True, False, 3, b"close"),
    ("1.0", False, False, None, b"close"),
    ("1.1", False, True, 3, b"Upgrade"),
    ("1.1", True, True, 3, b"close, Upgrade"),
]


@pytest.mark.parametrize(("version", "closes", "upgrades", "size", "expected"), CONNECTIONS)
def test_a_client_is_told_whether_its_connection_goes_on(
    version: str,
    closes: bool,  # noqa: FBT001
    upgrades: bool,  # noqa: FBT001
    size: int | None,
    expected: bytes | None,
) -> None:
    answer = head("426 Upgrade Required", ("Upgrade", "websocket")) if upgrades else head("200 OK")
    data, _ = encode_head(answer, size, b"", request(version=version), closes)

    assert read(data)[1].get(b"connection", [None]) == [expected]


STATUSES = st.sampled_from(["200 OK", "204 No Content", "205 Reset Content", "206 Partial Content", "304 -", "404 -"])


@given(
    STATUSES,
    st.none() | st.integers(0, 10**12),
    st.none() | st.binary(max_size=20),
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.sampled_from(["1.0", "1.1"]),
    st.booleans(),
)
def test_a_client_can_always_tell_where_the_content_ends(
    status: str,
    announced: int | None,
    whole: bytes | None,
    method: str,
    version: str,
    closes: bool,  # noqa: FBT001
) -> None:
    headers = [] if announced is None else [("Content-Length", str(announced))]
    size = None if whole is None else len(whole)
    data, framing = encode_head(head(status, *headers), size, whole or b"", request(method, version), closes)
    line, fields, content = read(data)
    has_content = method != "HEAD" and status[:3] not in {"204", "205", "304"}

    assert content == (whole or b"")
    assert line.startswith(b"HTTP/1.1 " + status[:3].encode())
    assert len(fields.get(b"content-length", [])) + len(fields.get(b"transfer-encoding", [])) <= 1
    assert (framing is NONE) == (not has_content)
    assert (framing is LENGTH) == (has_content and b"content-length" in fields)
    assert (framing is CHUNKED) == (b"transfer-encoding" in fields)
    if framing is CHUNKED:
        assert version == "1.1", "HTTP/1.0 has no chunks"
    if framing is CLOSE or closes:
        assert fields[b"connection"] == [b"close"]
    if announced is not None and has_content:
        assert fields[b"content-length"] == [b"%d" % announced], "what the application has announced"


def test_the_head_of_a_websocket_switches_protocols() -> None:
    data = encode_switch(head("101 Switching Protocols", ("Sec-WebSocket-Protocol", "chat")), b"accepted")
    line, fields, content = read(data)

    assert line == b"HTTP/1.1 101 Switching Protocols"
    assert fields[b"upgrade"] == [b"websocket"]
    assert fields[b"connection"] == [b"Upgrade"]
    assert fields[b"sec-websocket-accept"] == [b"accepted"]
    assert fields[b"sec-websocket-protocol"] == [b"chat"]
    assert content == b""
