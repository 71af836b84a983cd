"""The file of lines alone: one write a batch, whole lines, and no waiting."""

from __future__ import annotations

import errno
import os
import select
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.files.lines import LineFile, _packed, moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from corepool import Worker


class Batches:
    """A worker whose batches end when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def at_batch_end(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def end(self) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call()


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what goes to write(2), and how much of it."""
    sizes: list[int] = []
    write = os.write

    def counted(fd: int, data: Any) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counted)
    return sizes


def test_a_batch_is_one_write(tmp_path: Path, writes: list[int]) -> None:
    batches = Batches()
    file = LineFile(str(tmp_path / "log"), cast("Worker", batches))
    for number in range(1000):
        file.write(f"line {number}\n")
    assert writes == []
    batches.end()
    assert len(writes) == 1
    batches.end()
    file.write("last\n")
    file.close()

    assert len(writes) == 2
    assert (tmp_path / "log").read_text().splitlines() == [*(f"line {number}" for number in range(1000)), "last"]


def test_lines_of_an_endless_batch_do_not_pile_up(tmp_path: Path, writes: list[int]) -> None:
    file = LineFile(str(tmp_path / "log"), cast("Worker", Batches()))
    for _ in range(25_000):
        file.write("line\n")
    assert writes == [50_000, 50_000]
    file.close()

    assert (tmp_path / "log").read_text() == "line\n" * 25_000


def test_a_pipe_gets_whole_lines_and_what_it_lost_is_said(
    tmp_path: Path, writes: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    batches = Batches()
    file = LineFile(str(path), cast("Worker", batches))
    line = "x" * 99 + "\n"
    for _ in range(5000):
        file.write(line)
    batches.end()
    taken = 0
    while select.select([reading], [], [], 0)[0]:
        taken += len(os.read(reading, 1 << 20))
    file.write(line)
    file.close()
    assert os.read(reading, 1000).decode() == line
    os.close(reading)

    assert 0 < taken < 5000 * 100
    assert taken % 100 == 0
    assert max(writes) <= select.PIPE_BUF
    assert caplog.messages[0].startswith("lines_lost path=")
    assert caplog.messages[0].endswith('reason="it is not read"')
    assert f"lost={5000 - taken // 100}" in caplog.text


def test_a_line_that_a_pipe_does_not_take_in_one_is_cut(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for name in ("pipe", "log"):
        file = LineFile(str(tmp_path / name), cast("Worker", Batches()))
        file.write("x" * 9_999 + "\n")
        file.write("next\n")
        file.close()
    assert os.read(reading, 100_000) == b"x" * (select.PIPE_BUF - 1) + b"\nnext\n"
    os.close(reading)
    assert (tmp_path / "log").read_text() == "x" * 9_999 + "\nnext\n"


def test_a_moment() -> None:
    assert moment(1_795_600_165.98) == "2026-11-25T09:49:25.980Z"


@given(st.lists(st.integers(1, select.PIPE_BUF).map(lambda size: b"x" * (size - 1) + b"\n"), max_size=50))
def test_pieces_are_whole_lines_that_a_pipe_takes_at_once(lines: list[bytes]) -> None:
    pieces = list(_packed(lines))

    assert b"".join(piece for _, piece in pieces) == b"".join(lines)
    assert all(len(piece) <= select.PIPE_BUF and piece.count(b"\n") == count for count, piece in pieces)
    assert all(len(one) + len(other) > select.PIPE_BUF for (_, one), (_, other) in pairwise(pieces))


def test_half_a_line_is_not_the_beginning_of_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = Batches()
    file = LineFile(str(tmp_path / "log"), cast("Worker", batches))
    write, room = os.write, [7]

    def with_little_room(fd: int, data: Any) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        size = write(fd, data[: room[0]])
        room[0] -= size
        return size

    monkeypatch.setattr(os, "write", with_little_room)
    file.write("one\n")
    file.write("two\n")
    batches.end()
    file.write("lost\n")
    batches.end()
    room[0] = 1000
    file.write("three\n")
    file.write("four\n")
    batches.end()
    file.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\nthree\nfour\n"
