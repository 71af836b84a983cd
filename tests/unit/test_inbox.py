"""An inbox gives the same, however what it holds has come."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.streams.inbox import Inbox, TooLongError

LIMIT = 8
pieces = st.lists(st.text("ab\n", max_size=6).map(str.encode), max_size=12)


def lines_of(arrivals: list[bytes]) -> list[bytes | str]:
    """Read lines as a handler would: whenever there is one, and at the end to the end."""
    inbox, lines = Inbox(LIMIT), list[bytes | str]()
    for arrival in [*arrivals, None]:
        if arrival is None:
            inbox.is_ended = True
        else:
            inbox.data += arrival
        try:
            while (line := inbox.take_line()) is not None:
                lines.append(line)
                if not line:
                    return lines
        except TooLongError:
            return [*lines, "too long"]
    raise AssertionError("the end was not met")


@given(pieces)
def test_lines_are_those_of_the_whole(arrivals: list[bytes]) -> None:
    whole = b"".join(arrivals)
    expected: list[bytes | str] = []
    for line in [*whole.splitlines(keepends=True), b""]:
        if len(line) > LIMIT:
            expected.append("too long")
            break
        expected.append(line)

    assert lines_of(arrivals) == expected


async def read_until(arrivals: list[bytes], separator: bytes) -> object:
    reader = asyncio.StreamReader(LIMIT)
    for arrival in arrivals:
        reader.feed_data(arrival)
    reader.feed_eof()
    try:
        return await reader.readuntil(separator)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        return "too long"


@given(pieces, st.text("ab\n", min_size=1, max_size=3).map(str.encode))
def test_a_separator_is_found_where_asyncio_finds_it(arrivals: list[bytes], separator: bytes) -> None:
    inbox, found = Inbox(LIMIT), None
    for arrival in [*arrivals, None]:
        if arrival is None:
            inbox.is_ended = True
        else:
            inbox.data += arrival
        try:
            found = inbox.take_until(separator)
        except asyncio.IncompleteReadError as error:
            found = error.partial
        except TooLongError:
            found = "too long"
        if found is not None:
            break

    expected = asyncio.run(read_until(arrivals, separator))
    whole = b"".join(arrivals)
    start = whole.find(separator)
    if start <= LIMIT < start + len(separator) or (start < 0 and len(whole) > LIMIT):
        # asyncio leaves the separator itself out of the limit; here it counts.
        assert found in (expected, "too long")
    else:
        assert found == expected


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_part_of_a_line_never_goes_beyond_it(size: int) -> None:
    inbox = Inbox(LIMIT)
    inbox.data += b"abcd\nefgh"
    inbox.is_ended = True

    parts = []
    while part := inbox.take_line_of(size):
        parts.append(part)

    assert b"".join(parts) == b"abcd\nefgh"
    assert all(b"\n" not in part[:-1] for part in parts)
    assert all(len(part) <= size for part in parts)
