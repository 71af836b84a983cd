"""Heads of responses: those that are remembered are those that would be made, and take bounded memory."""

from __future__ import annotations

import http
import tracemalloc
from enum import Enum
from typing import TYPE_CHECKING, Any

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corepool_http.header_kinds import KINDS
from corepool_http.http1.framing import encode_head
from corepool_http.message import Request, RequestLine, Section
from corepool_http.plain_heads import PlainHeads, PlainHeadsInPython
from corepool_http.responses import Heads
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from corepool_http.head import Head

REQUEST = Request(RequestLine("GET", b"/"), "1.1", Section([], keep_alive=True))


class Shouting(str):
    """Text that formats itself as something else."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "shouted"

    def __str__(self) -> str:
        return "shouted"


class Kind(str, Enum):  # noqa: UP042  # as people write it
    PLAIN = "plain"


class Equal(str):
    """Text that claims to equal any other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


def of_text(status: Any, headers: Any, heads: Heads | None = None) -> Head:
    return (heads or Heads("")).of_text(status, headers)


def of_bytes(status: Any, headers: Any, heads: Heads | None = None) -> Head:
    return (heads or Heads("")).of_bytes(status, headers)


def fields(head: Head) -> list[tuple[bytes, bytes]]:
    """Read a head as h11 does, without Date."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    data, _ = encode_head(head, 0, b"", REQUEST, closes=False)
    client.receive_data(data)
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == head.status
    read = [(name, value) for name, value in response.headers.raw_items() if name != b"Date"]
    given = [(name, value.strip(b" \t")) for name, value in head.fields if name != b"Date"]
    if not head.bodyless and head.length is None:
        assert read.pop() == (b"Content-Length", b"0"), "added, since the response is whole"
    assert read == given, "what other versions of HTTP send"
    return read


SAME: list[tuple[Any, Any]] = [
    ("200 OK", [("A", "b")]),
    ("200 OK", (("A", "b"),)),
    ("200 OK", [["A", "b"]]),
    ("200 OK", iter([("A", "b")])),
    ("200 OK", iter([iter(["A", "b"])])),
    ("200 OK", {"A": "b"}.items()),
    (Shouting("200 OK"), [(Shouting("A"), Shouting("b"))]),
]
SAME_IN_BYTES: list[tuple[Any, Any]] = [
    (200, [(b"A", b"b")]),
    (http.HTTPStatus.OK, ((b"A", b"b"),)),
    (200, [[b"A", bytearray(b"b")]]),
    (200, [(bytearray(b"A"), memoryview(b"b"))]),
    (200, [(memoryview(b"A"), memoryview(bytearray(b"b")))]),
    (200, iter([iter([b"A", b"b"])])),
]


def test_headers_may_be_anything_that_holds_pairs_once_and_again() -> None:
    heads = Heads("")
    for _ in range(2):
        for make, given_ones in ((of_text, SAME), (of_bytes, SAME_IN_BYTES)):
            for status, headers in given_ones:
                again = list(headers) if hasattr(headers, "__next__") else headers
                if again:
                    assert fields(make(status, again, heads)) == [(b"A", b"b")]


def test_an_iterator_is_read_once() -> None:
    assert fields(of_bytes(200, iter([(b"A", b"b"), (b"C", b"d")]))) == [(b"A", b"b"), (b"C", b"d")]
    assert fields(of_text("200 OK", (pair for pair in [("A", "b"), ("C", "d")]))) == [(b"A", b"b"), (b"C", b"d")]


def test_strings_of_derived_classes_are_what_they_hold() -> None:
    assert fields(of_text(Shouting("404 Nothing"), [("A", Kind.PLAIN), (Shouting("B"), Shouting("c"))])) == [
        (b"A", b"plain"),
        (b"B", b"c"),
    ]


def test_a_list_that_is_changed_later_changes_no_other_response() -> None:
    heads = Heads("")
    headers: list[Any] = [["A", "b"], ("C", "d")]
    buffer = bytearray(b"x")
    assert fields(heads.of_text("200 OK", headers)) == [(b"A", b"b"), (b"C", b"d")]
    assert fields(of_bytes(200, [(b"A", buffer)], heads)) == [(b"A", b"x")]
    headers[0][1] = "e"
    headers.append(("F", "g"))
    buffer[:] = b"y"
    assert fields(heads.of_text("200 OK", headers)) == [(b"A", b"e"), (b"C", b"d"), (b"F", b"g")]
    assert fields(of_bytes(200, [(b"A", buffer)], heads)) == [(b"A", b"y")]


def test_what_claims_to_equal_something_else_is_not_remembered() -> None:
    heads = Heads("")
    assert fields(heads.of_text("200 OK", [("A", Equal("first"))])) == [(b"A", b"first")]
    assert fields(heads.of_text("200 OK", [("A", Equal("second"))])) == [(b"A", b"second")]


def test_equal_keys_of_different_types_are_told_apart() -> None:
    heads = Heads("")
    for _ in range(2):
        assert heads.of_bytes(200, []).status == 200
        assert heads.of_text("200 OK", []).status == 200
        for status in (200.0, "200", None, b"200"):
            with pytest.raises(ResponseError):
                of_bytes(status, [], heads)
        for wrong in (200, b"200 OK", None, True):
            with pytest.raises(ResponseError):
                of_text(wrong, [], heads)
        assert fields(heads.of_text("200 OK", [("A", "b")])) == fields(heads.of_bytes(200, [(b"A", b"b")]))
        with pytest.raises(ResponseError):
            of_text("200 OK", [(b"A", b"b")], heads)
        with pytest.raises(ResponseError):
            of_bytes(200, [("A", "b")], heads)


WRONG: list[tuple[Any, str]] = [
    (None, "'headers' are None: a list of pairs is expected"),
    (5, "'headers' are int 5"),
    ("ab", "'headers' are str 'ab'"),
    ({"A": "b"}, "'headers' are a mapping"),
    (["ab"], "a header is str 'ab': a pair of strings is expected"),
    ([("A", "b", "c")], "a header is tuple ('A', 'b', 'c'): a pair of strings is expected"),
    ([None], "a header is None"),
    ([("A", 5)], "in the header tuple ('A', 5), the value is int 5: a str is expected"),
    ([(b"A", "b")], "the name is bytes b'A': a str is expected"),
    ([("A", "\u20ac")], "the value is str '\u20ac': characters of ISO-8859-1 are expected"),
    ([("A", "b\r\nC: d")], "line break in a header: tuple ('A', 'b\\r\\nC: d')"),
    ([("A", "b\0")], "control character in a header"),
    ([("A b", "c")], "invalid header name: str 'A b'"),
    ([("Content-Length", "+5")], "invalid Content-Length: str '+5'"),
    ([("Content-Length", "5"), ("Content-Length", "6")], "two different values of Content-Length: 5 and 6"),
]


@pytest.mark.parametrize(("headers", "words"), WRONG)
def test_mistakes_are_reported_in_words(headers: Any, words: str) -> None:
    with pytest.raises(ResponseError) as refused:
        of_text("200 OK", headers)
    assert words in str(refused.value)


def test_a_large_value_is_not_shown_whole() -> None:
    with pytest.raises(ResponseError) as refused:
        of_text("200 OK", [("A", "b" * 1_000_000 + "\n")])
    assert len(str(refused.value)) < 500


def test_remembered_heads_are_bounded() -> None:
    heads = Heads("")
    heads.of_text("200 OK", [("A", "b")])
    tracemalloc.start()
    try:
        for number in range(1_500):
            long = "x" * 20_000
            heads.of_text("200 OK", [(f"A{number}{long}", "b")])
            heads.of_text("200 OK", [("Connection", f"{number}{long}")])
            heads.of_text("200 OK", [("Keep-Alive", f"{number}{long}")])
            heads.of_text(f"200 {number}{long}", [])
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 2_000_000


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4), st.sampled_from([200, 204, 404]))
def test_headers_are_sent_as_they_are_or_refused(headers: list[tuple[str, str]], status: int) -> None:
    _judge(lambda heads: heads.of_text(f"{status} Reason", headers), [_encoded(pair) for pair in headers])


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=4), st.sampled_from([200, 204, 404]))
def test_headers_in_bytes_are_sent_as_they_are_or_refused(headers: list[tuple[bytes, bytes]], status: int) -> None:
    _judge(lambda heads: heads.of_bytes(status, headers), list(headers))


def _encoded(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("latin-1", "replace"), pair[1].encode("latin-1", "replace")


def _judge(make: Any, expected: list[tuple[bytes, bytes]]) -> None:
    # Strategies draw words of the code, too: headers that are the server's own business have tests above.
    assume(not any(name.lower() in KINDS for name, _ in expected))
    heads = Heads("")
    try:
        head = make(heads)
    except ResponseError:
        with pytest.raises(ResponseError):
            make(heads)
        return
    assert fields(head) == [(name, value.strip(b" \t")) for name, value in expected]
    assert fields(make(heads)) == fields(head)


NAMES = st.sampled_from(["A", "X-B", "content-length", "Content-Length", "Date", "te", "", "b c", "\xe9", "n" * 70])
VALUES = st.sampled_from(
    ["", " b ", "0", "5", "05", "9" * 18, "9" * 19, "+5", "\u0665", "\xe9", "\u20ac", "a\r\nb", "\0"]
)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.sampled_from([101, 200, 204, 304, 404]),
    st.sampled_from([str, bytes]),
)
def test_plain_heads_are_the_same_in_python_and_in_machine_code(
    headers: list[tuple[str, str]], code: int, string: type
) -> None:
    pairs: list[Any] = list(headers)
    if string is bytes:
        pairs = [(name.encode(), value.encode()) for name, value in headers]
    made = []
    for plain in (PlainHeads(), PlainHeadsInPython()):
        plain.begin_with(b"Date: now\r\n")
        first = plain.make(code, b"%d Reason" % code, string, pairs)
        again = plain.make(code, b"%d Reason" % code, string, pairs)
        made += [head and (head.status, head.phrase, head.lines, head.length) for head in (first, again)]
    assert made[0] == made[1] == made[2] == made[3]


def test_what_is_no_list_of_pairs_of_plain_strings_is_no_plain_head() -> None:
    for plain in (PlainHeads(), PlainHeadsInPython()):
        for pairs in ([["A", "b"]], [("A",)], [("A", "b", "c")], ["Ab"], [None], [("A", b"b")], [(Kind.PLAIN, "b")]):
            assert plain.make(200, b"200 OK", str, pairs) is None
        assert plain.make(200, b"200 OK", bytes, [("A", "b")]) is None
