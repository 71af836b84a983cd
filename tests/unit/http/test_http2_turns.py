"""The order of streams, the queue of their content, and the names of abuses: pure parts of HTTP/2's driver."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from http2_frames import frame, split

from corepool_http.counted import ABUSES
from corepool_http.http2 import bounds, frames
from corepool_http.http2.frames import DATA, END_STREAM
from corepool_http.http2.pending import Pending
from corepool_http.http2.turns import Turns
from corepool_http.http2.unfinished import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def order_of(turns: Turns, count: int) -> list[int]:
    return [turns.next() for _ in range(count)]


def test_streams_that_share_take_turns() -> None:
    turns = Turns()
    for number in (1, 3, 5):
        turns.add(number, 3, shares=True)
    assert order_of(turns, 6) == [1, 3, 5, 1, 3, 5]
    turns.discard(3)
    assert order_of(turns, 3) == [1, 5, 1]


def test_urgent_ones_come_first_and_those_that_do_not_share_one_after_the_other() -> None:
    turns = Turns()
    turns.add(5, 3, shares=False)
    turns.add(3, 3, shares=False)
    turns.add(7, 1, shares=False)
    turns.add(9, 3, shares=True)
    assert order_of(turns, 2) == [7, 7]
    turns.discard(7)
    assert order_of(turns, 4) == [3, 9, 3, 9]
    turns.discard(3)
    turns.discard(9)
    assert order_of(turns, 2) == [5, 5]
    turns.discard(5)
    turns.discard(5)
    assert len(turns) == 0


def test_another_priority_moves_a_stream() -> None:
    turns = Turns()
    turns.add(1, 3, shares=True)
    turns.add(3, 3, shares=True)
    turns.add(3, 0, shares=True)
    assert order_of(turns, 2) == [3, 3]
    assert len(turns) == 2


@pytest.mark.parametrize("most", [1, 3, 10, 100])
def test_content_is_taken_in_order_whatever_the_pieces(tmp_path: Path, most: int) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    pending = Pending()
    pending.append(b"abc")
    pending.append(b"de")
    with (tmp_path / "file").open("rb") as file:
        pending.append_file(file, 2, 5)
    pending.append(b"f")
    assert (pending.size, pending.held) == (11, 6)
    taken = []
    while pending.size:
        part = pending.file()
        if part is None:
            taken.append(pending.take(most))
        else:
            framed = pending.take_from(part, min(most, part.left), 100, 1, ends=False)
            taken.append(framed[9:])
    assert b"".join(taken) == b"abcde23456f"
    assert max(map(len, taken)) <= most
    assert pending.held == 0


def test_a_file_that_has_become_shorter_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    pending = Pending()
    with (tmp_path / "file").open("rb") as file:
        pending.append_file(file, 0, 20)
    part = pending.file()
    assert part is not None
    assert pending.take_from(part, 20, 100, 1, ends=True) == frame(DATA, 0, 1, b"0123456789")
    with pytest.raises(EOFError):
        pending.take_from(part, 10, 100, 1, ends=True)
    pending.clear()


@pytest.mark.parametrize("read", [frames.read_frames, frames.read_frames_in_python])
@pytest.mark.parametrize("ends", [True, False])
def test_a_file_is_read_into_its_frames(
    tmp_path: Path, read: Callable[[int, int, int, int, int, bool], bytes], *, ends: bool
) -> None:
    content = bytes(range(256)) * 4
    (tmp_path / "file").write_bytes(content)
    with (tmp_path / "file").open("rb") as file:
        for offset, count, most in itertools.product(
            (0, 1, 1000, 1023, 1024), (1, 7, 24, 100, 1100), (1, 7, 100, 2000)
        ):
            found = split(read(file.fileno(), offset, count, most, 5, ends))
            wanted = content[offset:][: min(count, 8 * most)]
            assert b"".join(each.payload for each in found) == wanted
            assert {(each.kind, each.stream) for each in found} <= {(DATA, 5)}
            assert [len(each.payload) for each in found[:-1]] == [most] * (len(found) - 1)
            flags = [each.flags for each in found]
            assert flags == [0] * (len(found) - 1) + [END_STREAM if ends and len(wanted) == count else 0] * bool(found)
    with pytest.raises(OSError, match="Bad file descriptor"):
        read(-1, 0, 1, 1, 1, ends)


def test_a_lost_request_counts_until_its_token_is_freed() -> None:
    unfinished = Unfinished()
    one, two = unfinished.token(), unfinished.token()
    assert len(unfinished) == 2
    del one
    assert len(unfinished) == 1
    del two
    assert len(unfinished) == 0


def test_each_abuse_that_the_codec_knows_has_its_counter() -> None:
    assert bounds.__doc__ is not None
    named = re.findall(r"\b[a-z_]+_(?:flood|reset|bomb)\b", bounds.__doc__)
    assert sorted(set(named)) == sorted(ABUSES)
