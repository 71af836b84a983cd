"""An inbox gives the same, however what it holds has come."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.streams.errors import TooLongError
from corepool.streams.inbox import Inbox

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 8
pieces = st.lists(st.text("ab\n", max_size=6).map(str.encode), max_size=12)


def taken(arrivals: list[bytes], take: Callable[[Inbox], bytes | None]) -> list[object]:
    """Take as a handler would that goes on after errors: whenever there is something, and at the end to the end."""
    inbox, results = Inbox(LIMIT), list[object]()
    for arrival in [*arrivals, None]:
        if arrival is None:
            inbox.is_ended = True
        else:
            inbox.data += arrival
        while True:
            try:
                result = take(inbox)
            except TooLongError as error:
                results.append(("too long", error.consumed))
                if take is not Inbox.take_line:  # nothing was dropped
                    return results
            except asyncio.IncompleteReadError as error:
                return [*results, error.partial]
            else:
                if result is None:
                    break
                results.append(result)
                if not result:
                    return results
    raise AssertionError("the end was not met")


async def read_by_asyncio(arrivals: list[bytes], separator: bytes | None) -> list[object]:
    """The same from asyncio's own reader, for which the bytes come in the same pieces; None: lines."""
    reader, results = asyncio.StreamReader(LIMIT), list[object]()

    async def read() -> None:
        while True:
            try:
                result = await (reader.readline() if separator is None else reader.readuntil(separator))
            except ValueError:
                results.append("too long")
                continue
            except asyncio.LimitOverrunError as error:
                results.append(("too long", error.consumed))
                return
            except asyncio.IncompleteReadError as error:
                results.append(error.partial)
                return
            results.append(result)
            if not result:
                return

    task = asyncio.create_task(read())
    for arrival in [*arrivals, None]:
        for _ in range(2):  # of the loop's turns: the future's, then the task's
            await asyncio.sleep(0)
        if arrival is None:
            reader.feed_eof()
        else:
            reader.feed_data(arrival)
    await task
    return results


@given(pieces)
def test_lines_are_those_of_asyncio(arrivals: list[bytes]) -> None:
    results = taken(arrivals, Inbox.take_line)

    without_sizes = ["too long" if isinstance(each, tuple) else each for each in results]
    assert without_sizes == asyncio.run(read_by_asyncio(arrivals, None))


@given(pieces, st.text("ab\n", min_size=1, max_size=3).map(str.encode))
def test_a_separator_is_found_where_asyncio_finds_it(arrivals: list[bytes], separator: bytes) -> None:
    results = taken(arrivals, lambda inbox: inbox.take_until(separator))

    assert results == asyncio.run(read_by_asyncio(arrivals, separator))


def test_bytes_searched_for_one_separator_are_searched_again_for_another() -> None:
    inbox = Inbox(LIMIT * 10)
    inbox.data += b"one\ntwo;three"

    assert inbox.take_until(b"|") is None
    assert inbox.take_line() == b"one\n"
    assert inbox.take_until(b"|") is None
    assert inbox.take_until(b";") == b"two;"
    assert inbox.take_line() is None
    assert inbox.take_until(b"h") == b"th"


def test_pieces_put_back_are_taken_again() -> None:
    inbox = Inbox(LIMIT)
    inbox.data += b"three\n"
    assert inbox.take_until(b";") is None

    inbox.put_back([b"one\n", b"two\n"])

    assert [inbox.take_line(), inbox.take_line(), inbox.take_line()] == [b"one\n", b"two\n", b"three\n"]


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
