"""Conditions, ranges and codings as RFC 9110 has them: the part that needs no file."""

from __future__ import annotations

import datetime as dt
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_http.apps.codings import preferred
from corepool_http.apps.conditions import judge, parse_date, range_holds
from corepool_http.apps.ranges import Parts, parse_ranges
from corepool_http.message import Section

ETAG = '"a-1"'
MODIFIED = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110
AT, BEFORE, AFTER = (formatdate(MODIFIED + seconds, usegmt=True) for seconds in (0, -1, 1))


def section(*lines: str) -> Section:
    """Make a header section."""
    fields = (line.partition(":") for line in lines)
    headers = [(name.lower().encode(), value.strip().encode("latin-1")) for name, _, value in fields]
    return Section(headers, keep_alive=True)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 200),
        # If-Match: the strong comparison.
        (["If-Match: *"], 200),
        ([f"If-Match: {ETAG}"], 200),
        ([f'If-Match: "x", {ETAG}'], 200),
        ([f'If-Match: "x,y",, {ETAG} ,'], 200),
        (['If-Match: "x"', f"If-Match: {ETAG}"], 200),
        ([f"If-Match: W/{ETAG}"], 412),
        (['If-Match: "x"'], 412),
        (["If-Match:"], 412),
        (["If-Match: a-1"], 412),
        ([f'If-Match: "x,{ETAG}'], 412),
        # A backslash is a character of a tag as any other: the second one is a tag of its own.
        ([f'If-Match: "x\\", {ETAG}'], 200),
        # If-None-Match: the weak comparison.
        (["If-None-Match: *"], 304),
        ([f"If-None-Match: {ETAG}"], 304),
        ([f"If-None-Match: W/{ETAG}"], 304),
        ([f'If-None-Match: "x\\", W/"y,z" ,{ETAG}'], 304),
        (['If-None-Match: "x"', f"If-None-Match: {ETAG}"], 304),
        (['If-None-Match: "x"'], 200),
        ([f"If-None-Match: w/{ETAG}"], 200),
        ([f'If-None-Match: "x{ETAG}'], 200),
        (["If-None-Match:"], 200),
        # Dates.
        ([f"If-Modified-Since: {AT}"], 304),
        ([f"If-Modified-Since: {AFTER}"], 304),
        ([f"If-Modified-Since: {BEFORE}"], 200),
        ([f"If-Modified-Since: {AT}", f"If-Modified-Since: {AT}"], 200),
        (["If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT"], 304),
        (["If-Modified-Since: Sun Nov  6 08:49:37 1994"], 304),
        (["If-Modified-Since: Sun, 06 Nov 1994 08:49:37"], 304),
        (["If-Modified-Since: Sun, 06 Nov 1994 08:49:36"], 200),
        (["If-Modified-Since: Sun, 06 Nov 1994 10:49:37 +0200"], 200),
        (["If-Modified-Since: 784111777"], 200),
        ([f"If-Unmodified-Since: {AT}"], 200),
        ([f"If-Unmodified-Since: {AFTER}"], 200),
        ([f"If-Unmodified-Since: {BEFORE}"], 412),
        (["If-Unmodified-Since: yesterday"], 200),
        # Precedence (RFC 9110, 13.2.2).
        ([f"If-Match: {ETAG}", f"If-Unmodified-Since: {BEFORE}"], 200),
        (['If-Match: "x"', f"If-None-Match: {ETAG}"], 412),
        (['If-None-Match: "x"', f"If-Modified-Since: {AT}"], 200),
        ([f"If-None-Match: {ETAG}", f"If-Modified-Since: {BEFORE}"], 304),
        ([f"If-Match: {ETAG}", f"If-None-Match: {ETAG}"], 304),
        ([f"If-Unmodified-Since: {AT}", f"If-Modified-Since: {AT}"], 304),
    ],
)
def test_conditions(lines: list[str], status: int) -> None:
    assert judge(section(*lines), ETAG, MODIFIED) == status


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (f"If-Range: {ETAG}", True),
        (f"If-Range: W/{ETAG}", False),
        ('If-Range: "x"', False),
        (f"If-Range: {AT}", True),
        ("If-Range: Sunday, 06-Nov-94 08:49:37 GMT", True),
        (f"If-Range: {AFTER}", False),
        (f"If-Range: {BEFORE}", False),
        ("If-Range: a-1", False),
        ("If-Range:", False),
        ("X: y", True),
    ],
)
def test_a_range_holds_for_what_the_client_has_a_part_of(line: str, *, holds: bool) -> None:
    assert range_holds(section(line), ETAG, MODIFIED, MODIFIED + 60) is holds


def test_a_date_within_its_second_is_no_strong_validator() -> None:
    assert not range_holds(section(f"If-Range: {AT}"), ETAG, MODIFIED, MODIFIED + 0.5)
    assert range_holds(section(f"If-Range: {ETAG}"), ETAG, MODIFIED, MODIFIED + 0.5)


@given(st.integers(0, 253_402_300_799))
def test_each_form_of_a_date_is_the_same_time(seconds: int) -> None:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert parse_date(formatdate(seconds, usegmt=True)) == seconds
    assert parse_date(formatdate(seconds, usegmt=True).removesuffix(" GMT")) == seconds
    assert parse_date(f"{moment:%a %b} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}") == seconds
    now = dt.datetime.now(dt.UTC)
    if now.year - 49 < moment.year < now.year + 50:
        assert parse_date(f"{moment:%A, %d-%b-%y %H:%M:%S} GMT") == seconds


def test_the_local_zone_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_date("Sun, 06 Nov 1994 08:49:37") == parse_date("Sun Nov  6 08:49:37 1994") == MODIFIED
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT; length=1",
        "Sun, 06 Nov \xb9994 08:49:37 GMT",
    ],
)
def test_no_dates(text: str) -> None:
    assert parse_date(text) is None


@given(st.text(max_size=50), st.text(max_size=50))
def test_nothing_that_is_sent_makes_the_judges_fail(first: str, second: str) -> None:
    lines = [
        (name, text.encode("utf-8", "replace"))
        for name in (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
        for text in (first, second)
    ]
    sent = Section(lines, keep_alive=True)
    assert judge(sent, ETAG, MODIFIED) in {200, 304, 412}
    assert set(preferred(f"{first},{second}", ["br", "gzip"])) <= {"br", "gzip"}
    parse_date(first)
    parse_ranges(f"bytes={first},{second}", 100)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("gzip", ["gzip"]),
        ("gzip, br", ["br", "gzip"]),
        ("GZIP", ["gzip"]),
        ("x-gzip", ["gzip"]),
        ("gzip;q=0", []),
        ("gzip;q=0.0", []),
        ("gzip;q=0.000, br", ["br"]),
        ("gzip; q=0.001", ["gzip"]),
        ("gzip ; Q=1.000", ["gzip"]),
        ("gzip;q=1, br;q=0.5", ["gzip", "br"]),
        ("gzip;q=x", []),
        ("gzip;q=2", []),
        ("gzip;q=", []),
        ("gzip;level=9;q=0", []),
        ("gzip;level=9", ["gzip"]),
        ("*", ["br", "gzip"]),
        ("*;q=0", []),
        ("*;q=0, gzip", ["gzip"]),
        ("br;q=0, *", ["gzip"]),
        ("identity", []),
        ("identity, gzip", ["gzip"]),
        ("identity, gzip;q=0.5", []),
        ("identity;q=0", []),
        ("identity;q=0, *", ["br", "gzip"]),
        ("identity;q=0.5, gzip;q=0.6", ["gzip"]),
        (",, gzip ,", ["gzip"]),
        ("deflate, zstd", []),
        ("gzipped", []),
    ],
)
def test_the_codings_that_a_client_prefers(header: str, found: list[str]) -> None:
    assert preferred(header, ["br", "gzip"]) == found


@pytest.mark.parametrize(
    ("text", "size", "found"),
    [
        ("bytes=0-0", 10, [(0, 0)]),
        ("BYTES=0-0", 10, [(0, 0)]),
        ("bytes=0-", 10, [(0, 9)]),
        ("bytes=3-99", 10, [(3, 9)]),
        ("bytes=-3", 10, [(7, 9)]),
        ("bytes=-99", 10, [(0, 9)]),
        ("bytes=0-0,-1", 10, [(0, 0), (9, 9)]),
        ("bytes=0-0, ,2-3,", 10, [(0, 0), (2, 3)]),
        ("bytes=0-0\t,\t5-6", 10, [(0, 0), (5, 6)]),
        ("bytes=10-", 10, []),
        ("bytes=10-11,20-", 10, []),
        ("bytes=0-0,10-", 10, [(0, 0)]),
        ("bytes=-0", 10, []),
        ("bytes=0-", 0, []),
        ("bytes=-0", 0, []),
        ("bytes=-5", 0, None),
        ("bytes=5-2", 10, None),
        ("bytes=0-0,5-2", 10, None),
        ("bytes=", 10, None),
        ("bytes=,", 10, None),
        ("bytes=-", 10, None),
        ("bytes=--1", 10, None),
        ("bytes=+1-2", 10, None),
        ("bytes=0x1-2", 10, None),
        ("bytes=1", 10, None),
        ("bytes=0-1-2", 10, None),
        ("bytes", 10, None),
        ("bytes 0-1", 10, None),
        ("=0-1", 10, None),
        ("lines=0-1", 10, None),
        ("bytes =0-1", 10, None),
        ("bytes=\xb2-3", 10, None),
        ("bytes=0-" + "9" * 33, 10, None),
        ("bytes=" + ",".join(["0-9"] * 17), 100, None),
        ("bytes=0-9,0-9", 10, None),
    ],
)
def test_ranges(text: str, size: int, found: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(text, size) == found


@given(st.text("0123456789-, ", max_size=60), st.integers(0, 2**40))
def test_ranges_are_of_what_there_is(text: str, size: int) -> None:
    ranges = parse_ranges(f"bytes={text}", size) or []
    assert all(0 <= each.first <= each.last < size for each in ranges)
    assert sum(each.length for each in ranges) <= size * 1.5


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)).map(sorted), min_size=2, max_size=5))
def test_parts_are_as_long_as_announced(pairs: list[list[int]]) -> None:
    ranges = parse_ranges("bytes=" + ",".join(f"{first}-{last}" for first, last in pairs), 1000) or []
    parts = Parts(ranges, 1000, "text/plain")
    content = b"".join(head + b"x" * each.length + b"\r\n" for head, each in zip(parts.heads, ranges, strict=True))
    assert len(content + parts.end) == parts.length
