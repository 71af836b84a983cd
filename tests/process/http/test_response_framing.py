"""The framing of responses: for each status, method, version, length and content as the RFCs allow, or a 500."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import pytest
from http_client import request
from judge import Judged, exchange, judge
from scripted_pool import MODES, literal, script, scripted_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

STATUSES = (200, 204, 205, 206, 304, 404, 407, 426, 500, 599)
IMPOSSIBLE = (0, 1, 99, 100, 101, 103, 199, 600, 999, 1000, -200, 10**30)
CONTENTS: dict[str, list[bytes]] = {"none": [], "empty": [b""], "whole": [b"abc"], "pieces": [b"ab", b"", b"c"]}
LENGTHS = {"no length": None, "0": "0", "right": "3", "short": "2", "long": "5"}


class Case(NamedTuple):
    status: int
    method: str
    version: str
    length: str | None
    pieces: list[bytes]


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    """Serve the scripts; nothing that they do ends the worker."""
    with scripted_pool() as pool:
        pids = pool.workers()
        yield pool
        assert pool.workers() == pids


def answers(running: PoolProcess, mode: str, target: str, method: str = "GET", version: str = "1.1") -> list[Judged]:
    """Ask for `target`, and behind it for a response that must not be mistaken for a part of the first one's."""
    after = script(mode, 200, [], [b"after"])
    data = f"{method} {target} HTTP/{version}\r\nHost: a\r\n\r\n".encode() + request(after)
    received, _ = exchange(running, data, mode)
    return judge(received, [method, "GET"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_status_with_every_length_and_content(running: PoolProcess, mode: str, version: str, method: str) -> None:
    for status, (length, content) in itertools.product(
        STATUSES, itertools.product(LENGTHS.values(), CONTENTS.values())
    ):
        case = Case(status, method, version, length, content)
        headers = [] if length is None else [("Content-Length", length)]
        responses = answers(running, mode, script(mode, status, headers, content), method, version)
        check(case, responses)


def check(case: Case, responses: list[Judged]) -> None:
    first, *rest = responses
    content = b"".join(case.pieces)
    has_content = case.method != "HEAD" and case.status not in {204, 205, 304}
    length = None if case.length is None else int(case.length)
    if has_content and length and not content:
        assert (first.status, first.is_whole) == (500, True), case  # nothing was sent yet
        return
    assert first.status == case.status, case
    assert first.is_whole == (not has_content or length is None or length <= len(content)), case
    if has_content:
        assert first.content == content[:length], case
    else:
        assert first.content == b"", case
    if case.status == 304 or (case.method == "HEAD" and case.status not in {204, 205}):
        given = first.all(b"content-length")
        assert given in ([], [case.length.encode()] if case.length else [b"3"]), case
        assert case.status != 304 or given != [b"0"], case
    if case.version == "1.0":
        assert not first.all(b"transfer-encoding"), case
        assert not rest, case
    elif first.all(b"connection") == [b"close"]:
        assert not rest, case
    elif not has_content or length is None or length == len(content):
        assert [response.content for response in rest] == [b"after"], case
    else:
        assert not rest, case


@pytest.mark.parametrize("mode", MODES)
def test_a_status_that_no_response_may_have_is_a_500_and_a_line_in_the_log(running: PoolProcess, mode: str) -> None:
    for status in IMPOSSIBLE:
        for pieces in ([b"abc"], [b"a", b"b"]):
            [first, after] = answers(running, mode, script(mode, status, [], pieces))
            assert (first.status, first.content) == (500, b"500 Internal Server Error\n"), status
            assert after.content == b"after"
    running.wait_logged("103 is the status of an interim response")
    running.wait_logged('reason="invalid status: ')


REASONS = {
    "200": b"OK",
    "200 ": b"",
    "299": b"",
    "200 Fine by me": b"Fine by me",
    "200 Schön": "Schön".encode("latin-1"),
    "200  ": b" ",
}

NO_STATUSES = ("", "20", "2000 OK", "200OK", "200\tOK", " 200 OK", "OK", "200 a\r\nA: b", "200 a\0", "+20 OK", "²00 OK")


@pytest.mark.parametrize("mode", ["loop", "threads"])
def test_reasons(running: PoolProcess, mode: str) -> None:
    for status, reason in REASONS.items():
        received, _ = exchange(running, request(literal(status, [], [b"abc"])), mode)
        assert received.startswith(b"HTTP/1.1 %b %b\r\n" % (status[:3].encode(), reason))
        assert judge(received, ["GET"])[0].content == b"abc"
    for status in NO_STATUSES:
        assert judge(exchange(running, request(literal(status, [], [b"abc"])), mode)[0], ["GET"])[0].status == 500


BAD_LENGTHS = ("-1", "+5", "", "3.0", "0x3", "3, 3", "٣", "³", "9" * 5000, "3 3", "NaN")


@pytest.mark.parametrize("mode", MODES)
def test_lengths_that_are_none(running: PoolProcess, mode: str) -> None:
    for length in BAD_LENGTHS:
        if mode == "asgi":
            target = literal(200, [(b"Content-Length", length.encode())], [b"abc"])
        else:
            target = literal("200 OK", [("Content-Length", length)], [b"abc"])
        first, _ = answers(running, mode, target)
        assert first.status == 500, length
    twice = [("Content-Length", "3"), ("content-length", "03")]
    assert answers(running, mode, script(mode, 200, twice, [b"abc"]))[0].all(b"content-length") == [b"3"]
    for other in ("4", "2"):
        differing = [("Content-Length", "3"), ("Content-Length", other)]
        assert answers(running, mode, script(mode, 200, differing, [b"abc"]))[0].status == 500
    assert answers(running, mode, script(mode, 200, [("Content-Length", " 3\t")], [b"abc"]))[0].content == b"abc"


HOPS = [
    ("Transfer-Encoding", "chunked"),
    ("Keep-Alive", "timeout=5"),
    ("Upgrade", "h2c"),
    ("TE", "trailers"),
    ("Trailer", "X-Sum"),
    ("Proxy-Connection", "close"),
    ("Proxy-Authorization", "Basic YTpi"),
    ("Proxy-Authenticate", "Basic"),
]


@pytest.mark.parametrize("mode", MODES)
def test_headers_for_a_single_connection_are_the_servers_business(running: PoolProcess, mode: str) -> None:
    kept = [("Connection", "keep-alive, X-A"), ("X-A", "b"), *HOPS]
    for pieces in ([b"abc"], [b"ab", b"c"]):
        first, after = answers(running, mode, script(mode, 200, kept, pieces))
        assert (first.content, after.content) == (b"abc", b"after")
        assert first.all(b"x-a") == [b"b"]
        assert {name for name, _ in first.headers}.isdisjoint(name.lower().encode() for name, _ in HOPS[1:])
        [first] = answers(running, mode, script(mode, 200, [("Connection", "X-A , Close")], pieces))
        assert first.all(b"connection") == [b"close"]
    # It is no option "close".
    assert len(answers(running, mode, script(mode, 200, [("Connection", "closed")], [b"abc"]))) == 2


@pytest.mark.parametrize("mode", MODES)
def test_headers_that_a_status_needs_are_sent(running: PoolProcess, mode: str) -> None:
    first, _ = answers(running, mode, script(mode, 426, [("Upgrade", "h2c")], [b"abc"]))
    assert (first.all(b"upgrade"), first.all(b"connection")) == ([b"h2c"], [b"Upgrade"])
    [first] = answers(running, mode, script(mode, 426, [("Upgrade", "h2c"), ("Connection", "close")], [b"abc"]))
    assert (first.all(b"upgrade"), first.all(b"connection")) == ([b"h2c"], [b"close, Upgrade"])
    first, _ = answers(running, mode, script(mode, 407, [("Proxy-Authenticate", "Basic")], [b"abc"]))
    assert first.all(b"proxy-authenticate") == [b"Basic"]


@pytest.mark.parametrize("mode", MODES)
def test_other_transfer_codings_are_refused(running: PoolProcess, mode: str) -> None:
    for coding in ("gzip", "gzip, chunked", "x"):
        first, _ = answers(running, mode, script(mode, 200, [("Transfer-Encoding", coding)], [b"abc"]))
        assert first.status == 500


@pytest.mark.parametrize("mode", MODES)
def test_date_and_server_are_sent_once(running: PoolProcess, mode: str) -> None:
    own = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Server", "a"), ("date", "b"), ("SERVER", "c")]
    first, _ = answers(running, mode, script(mode, 200, own, [b"abc"]))
    assert (first.all(b"date"), first.all(b"server")) == ([b"Sun, 06 Nov 1994 08:49:37 GMT"], [b"a"])


@pytest.mark.parametrize("mode", MODES)
def test_headers_that_would_be_no_headers(running: PoolProcess, mode: str) -> None:
    for byte in [*range(32), 127]:
        value = f"a{chr(byte)}b"
        expected = 200 if value == "a\tb" else 500
        assert answers(running, mode, script(mode, 200, [("X-A", value)], [b"abc"]))[0].status == expected, byte
        assert answers(running, mode, script(mode, 200, [(value, "b")], [b"abc"]))[0].status == 500, byte
    for name in ("", " ", "a b", "a:", ":", "a(", "é", '"a"', "a\r\nb"):
        assert answers(running, mode, script(mode, 200, [(name, "b")], [b"abc"]))[0].status == 500, name
    first, _ = answers(running, mode, script(mode, 200, [("X-A", "é"), ("X-B", ""), ("X-C", " c ")], [b"abc"]))
    assert [first.all(name) for name in (b"x-a", b"x-b", b"x-c")] == [["é".encode("latin-1")], [b""], [b"c"]]
