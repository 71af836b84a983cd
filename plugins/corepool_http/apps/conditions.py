"""Conditional requests (RFC 9110, 13): whether a client's copy of a file is the one that would be sent."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool_http.message import Section

CONDITIONS = frozenset((b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"))

_MEMBER = re.compile(r'(?:[^,"]|"[^"]*"?)++')
"""Of a list of entity tags. They know no backslash (RFC 9110, 8.8.3), unlike other quoted strings."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DATES = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>\d\d) (?P<month>[a-z]{{3}}) (?P<year>\d{{4}}) {_TIME}(?: (?:GMT|UTC))?",
        rf"[a-z]{{6,9}}, (?P<day>\d\d)-(?P<month>[a-z]{{3}})-(?P<year>\d\d) {_TIME}(?: (?:GMT|UTC))?",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})",
    )
)
"""The form of today, that of RFC 850, and that of asctime (RFC 9110, 5.6.7). A date without a zone is GMT, too."""


def judge(section: Section, etag: str, modified: int) -> int:
    """Return 200 if the content is to be sent, 304 if the client has it, 412 if it is not what the client expects.

    :param etag: of the content, a strong one.
    :param modified: when the content was changed, in seconds.
    """
    tags = _text(section.joined(b"if-match"))
    if tags is not None:
        if not _has(tags, etag, weak=False):
            return 412
    else:
        date = parse_date(_text(section.single(b"if-unmodified-since")))
        if date is not None and modified > date:
            return 412
    tags = _text(section.joined(b"if-none-match"))
    if tags is not None:
        return 304 if _has(tags, etag, weak=True) else 200
    date = parse_date(_text(section.single(b"if-modified-since")))
    return 304 if date is not None and modified <= date else 200


def range_holds(section: Section, etag: str, modified: int, now: float) -> bool:
    """Report whether a range is of the content that the client has a part of (If-Range)."""
    condition = _text(section.single(b"if-range"))
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == etag
    # A date is a strong validator only if a change within its second could not be missed (RFC 9110, 8.8.2.2).
    return parse_date(condition) == modified and now - modified > 1


def parse_date(text: str | None) -> int | None:
    """Return the seconds of an HTTP date; None if it is none, and so has to be ignored."""
    if text is None:
        return None
    found = next((match for form in _DATES if (match := form.fullmatch(text))), None)
    if found is None or found["month"].lower() not in _MONTHS:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        # More than 50 years ahead means the last century (RFC 9110, 5.6.7).
        this_year = dt.datetime.now(dt.UTC).year
        year += this_year - this_year % 100
        year -= 100 if year > this_year + 50 else 0
    try:
        day = dt.datetime(
            year,
            _MONTHS.index(found["month"].lower()) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(int(found["second"]), 59) if found["second"] == "60" else int(found["second"]),  # a leap second
            tzinfo=dt.UTC,
        )
    except ValueError:
        return None
    return int(day.timestamp())


def _has(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    tags = [tag.strip() for tag in _MEMBER.findall(header)]
    return any((tag.removeprefix("W/") if weak else tag) == etag for tag in tags)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1").strip(" \t")
