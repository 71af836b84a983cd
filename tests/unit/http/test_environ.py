"""The environ of WSGI is the same on both builds, whatever a client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from corepool_http.apps.wsgi_environ import Variables, add_request, add_request_in_python
from corepool_http.http1.heads import HeadReader
from corepool_http.message import RequestLine, Section
from corepool_http.options import HttpOptions

if TYPE_CHECKING:
    from corepool_http.message import Fields

OPTIONS = HttpOptions(target="any:thing")
NAMES = [b"cookie", b"Cookie", b"x-a", b"X-A", b"x_a", b"Content-Type", b"a" * 70, b"server-name", b"!"]
VALUES = [b"", b"1", b"several", b"\xe9\xff", b"a, b"]
TARGETS = [b"/", b"/m", b"/m/", b"/m/x?y", b"/mx", b"/%6D/%e9?%20", b"//m", b"/?"]


def environ_of(add: Any, line: RequestLine, section: Section, mount: bytes) -> list[tuple[str, object]]:
    environ: dict[str, Any] = {"SERVER_NAME": None, "wsgi.input": None}
    add(environ, {"SERVER_NAME": "localhost", "HTTPS": "on"}, line, section, mount, Variables())
    return list(environ.items())


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6),
    st.sampled_from(TARGETS),
    st.sampled_from([b"", b"/m"]),
)
@example([(b"Cookie", b"1"), (b"Cookie", b"1"), (b"X-A", b""), (b"X-A", b"")], b"/", b"")
def test_environ_is_that_of_python(lines: Fields, target: bytes, mount: bytes) -> None:
    head = b"".join(b"%b: %b\r\n" % line for line in lines)
    reader = HeadReader(OPTIONS)  # a line that it knows has the path below one mount
    request = reader.read(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target, head), 0)
    if request is None:  # two of a header that may come once
        return
    section = Section(list(request.section.headers), keep_alive=True)
    expected = environ_of(add_request_in_python, RequestLine("GET", target), section, mount)
    assert environ_of(add_request, request.line, request.section, mount) == expected
    assert environ_of(add_request, request.line, section, mount) == expected
    values = dict(expected)
    if [name.lower() for name, _ in lines].count(b"x-a") == 2:
        assert values["HTTP_X_A"] == ",".join(each.decode("latin-1") for name, each in lines if name.lower() == b"x-a")
