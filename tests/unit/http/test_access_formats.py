"""Format strings of access logs: those of gunicorn and uvicorn work as they are, and no client can forge a field."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.access_atoms import NAMES, asks_for_notes, judge, split
from corepool_http.access_format import ATOMS, Response, compile_format
from corepool_http.message import Request, RequestLine, Section

GUNICORN = '%(h)s %(l)s %(u)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
"""The default of gunicorn, but for the time."""
UVICORN = '%(levelprefix)s %(client_addr)s - "%(request_line)s" %(status_code)s'
"""The default of uvicorn."""


def response(agent: bytes = b"curl", target: bytes = b"/a?b=c") -> Response:
    headers = [(b"user-agent", agent), (b"x-request-id", b"42")]
    request = Request(RequestLine("GET", target), "1.1", Section(headers, keep_alive=True))
    client = SimpleNamespace(host="192.0.2.1", port=5, scheme="https", listener="web")
    return Response(cast("Any", SimpleNamespace(request=request, client=client, status=200, sent=7)), 1.25, 3)


def test_each_atom_that_is_listed_exists() -> None:
    assert tuple(ATOMS) == NAMES


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GUNICORN, '192.0.2.1 - - "GET /a?b=c HTTP/1.1" 200 7 "-" "curl"'),
        (UVICORN, 'INFO:     192.0.2.1:5 - "GET /a?b=c HTTP/1.1" 200 OK'),
        ("%(U)s %(q)s %(m)s %(H)s", "/a b=c GET HTTP/1.1"),
        ('%({none}i)s "%({none}i)s" x=%({none}i)s', '- "-" x=-'),
        ("%(T)s %(M)s %(D)s %(L)s", "1 1250 1250000 1.250000"),
        ("%(worker)s %(listener)s %(scheme)s %(request_id)s", "3 web https 42"),
        ("%({X-Request-Id}i)s %({none}i)s 100%%", "42 - 100%"),
    ],
)
def test_a_line_is_as_the_format_says(text: str, line: str) -> None:
    assert compile_format(text)(response()) == line


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_client_can_forge_a_field(agent: bytes, target: bytes) -> None:
    line = compile_format('"%(r)s" "%(a)s"')(response(agent, b"/" + target))

    assert line.isprintable()
    assert line.isascii()
    assert line.count('"') == 4


def test_a_space_of_a_client_ends_no_field_outside_of_quotation_marks() -> None:
    forged = response(agent=b"1 status=500 worker=9")
    line = compile_format('"%(r)s" %(s)s worker=%(worker)s id=%({user-agent}i)s "%(a)s" %(a)s')(forged)

    bare = r"1\x20status=500\x20worker=9"
    assert line == f'"GET /a?b=c HTTP/1.1" 200 worker=3 id={bare} "1 status=500 worker=9" {bare}'


@given(
    st.sampled_from(("h", "U", "q", "f", "a", "m", "full_path", "client_addr", "request_id", "{x}i", "{t}i")),
    st.text(' \t"\\a\xa0\x85'),
)
def test_a_bare_atom_of_a_client_is_one_field(atom: str, text: str) -> None:
    data = text.encode()
    headers = [(name, data) for name in (b"x-request-id", b"user-agent", b"referer", b"x", b"t")]
    line = RequestLine(text, data + b"?" + data)
    request = Request(line, "1.1", Section(headers, keep_alive=True))
    client = SimpleNamespace(host=text, port=5, scheme="https", listener="web")
    one = Response(cast("Any", SimpleNamespace(request=request, client=client, status=200, sent=7)), 1.25, 3)

    first, _, last = compile_format(f"1 -%({atom})s 2")(one).split()
    assert (first, last) == ("1", "2")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("combine", "atoms such as"),
        ("%(x)s", "no such atom"),
        ("%h %(s)s", "write %%"),
        ("%({server}x)s", r"{header}o of the response"),
        ("%(s)s\n", "one line"),
    ],
)
def test_a_wrong_format_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        split(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%(U)s %(q)s %(m)s", "/a - GET"),
        ("%(q)s", "-"),
        ("%(q)s %(m)s\t%(q)s", "- GET\t-"),
        ("%(U)s?%(q)s [%(q)s]", "/a? []"),
        ('"%(q)s" %(m)s%(q)s', '"" GET'),
    ],
)
def test_a_field_that_would_be_empty_is_a_dash(text: str, line: str) -> None:
    """As gunicorn and nginx have it between quotation marks, where it is empty, and where fields are counted."""
    assert compile_format(text)(response(target=b"/a")) == line


@pytest.mark.parametrize("text", ["off", "common", "combined", "json", '%(h)s "%(r)s" %({host}i)s', "json a=%(q)s"])
def test_formats_that_need_nothing_of_the_response_note_nothing(text: str) -> None:
    judge(text)
    assert not asks_for_notes(text)


@pytest.mark.parametrize("text", ["%({x}o)s", '"%({REMOTE_USER}e)s"', "json a=%({x}o)s", "json  a=%(q)s b=%({x}e)s"])
def test_formats_that_need_more_note_it(text: str) -> None:
    judge(text)
    assert asks_for_notes(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("json %(q)s", "behind json there are fields such as"),
        ("json a=b", "behind json there are fields such as"),
        ("json a=%(nothing)s", "no such atom"),
        ("json status=%(q)s", "'status' already"),
        ("json a=%(q)s a=%(h)s", "'a' already"),
        ("jsonx", "atoms such as"),
    ],
)
def test_a_wrong_format_of_json_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        judge(text)
