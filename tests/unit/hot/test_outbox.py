"""Output of a connection without a connection: whatever is sent leaves in its order, however it is cut."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corepool.hot.filesegment import FileSegment
from corepool.hot.outbox import GATHER_BYTES, Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def file() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT)
        file.flush()
        yield file.fileno()


def taken(outbox: Outbox, limit: int) -> bytes:
    """Take up to `limit` bytes as a kernel does that has room for no more."""
    front = outbox.front()
    data = (front.read() if isinstance(front, FileSegment) else bytes(front))[:limit]
    outbox.advance(len(data))
    return data


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_small_pieces_leave_in_one() -> None:
    outbox = Outbox(b"a")
    outbox.append(b"b")
    outbox.append(b"c")

    assert bytes(outbox.front()) == b"abc"  # type: ignore[arg-type]
    assert (len(outbox), outbox.waiting) == (3, 0)


def test_no_more_is_joined_than_the_kernel_takes_at_once() -> None:
    half = b"x" * (GATHER_BYTES // 2)
    outbox = Outbox(half)
    for _ in range(3):
        outbox.append(half)

    assert len(outbox.front()) == GATHER_BYTES
    assert (len(outbox), outbox.waiting) == (4 * len(half), 2 * len(half))


def test_a_large_piece_is_not_copied() -> None:
    data = b"x" * GATHER_BYTES
    outbox = Outbox(data)
    outbox.append(b"y")

    assert outbox.front() is data


def test_files_are_no_bytes_in_memory(file: int) -> None:
    outbox = Outbox(b"head")
    outbox.append(FileSegment(file, 0, 1000))
    outbox.append(b"tail")

    assert (len(outbox), outbox.waiting) == (1008, 4)
    outbox.clear()
    assert (len(outbox), outbox.waiting, outbox.front()) == (0, 0, b"")


def test_a_file_is_closed_once_it_was_sent(file: int) -> None:
    segment = FileSegment(file, 0, 10)
    own = segment._fd  # noqa: SLF001
    outbox = Outbox(segment)

    assert taken(outbox, 4) == CONTENT[:4]
    assert is_open(own)
    assert taken(outbox, 10) == CONTENT[4:10]
    assert not is_open(own)
    assert not outbox


def test_files_are_closed_when_they_are_forgotten(file: int) -> None:
    segments = [FileSegment(file, 0, 10) for _ in range(3)]
    outbox = Outbox(segments[0])
    for segment in segments[1:]:
        outbox.append(segment)
    descriptors = [segment._fd for segment in segments]  # noqa: SLF001

    outbox.clear()
    assert not any(map(is_open, descriptors))
    outbox.clear()


def test_a_file_shorter_than_promised_is_noticed(file: int) -> None:
    segment = FileSegment(file, len(CONTENT), 1)
    with pytest.raises(EOFError):
        segment.read()
    segment.close()


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=50)), limits=st.lists(st.integers(1, 40), min_size=1))
def test_any_cutting_of_writes_gives_the_same_bytes(pieces: list[bytes], limits: list[int]) -> None:
    outbox = Outbox()
    for piece in pieces:
        outbox.append(piece)
    received = b""
    turn = 0
    while outbox:
        received += taken(outbox, limits[turn % len(limits)])
        turn += 1

    assert received == b"".join(pieces)
    assert outbox.waiting == 0


class OutboxMachine(RuleBasedStateMachine):
    """An outbox against the bytes that were put into it and not taken out again."""

    def __init__(self) -> None:
        super().__init__()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `teardown`
        self.file.write(CONTENT)
        self.file.flush()
        self.outbox = Outbox()
        self.rest = b""

    @rule(data=st.one_of(st.binary(max_size=100), st.just(b"x" * GATHER_BYTES)))
    def bytes_are_sent(self, data: bytes) -> None:
        self.outbox.append(data)
        self.rest += data

    @rule(offset=st.integers(0, 1000), count=st.integers(1, 1000))
    def a_file_is_sent(self, offset: int, count: int) -> None:
        self.outbox.append(FileSegment(self.file.fileno(), offset, count))
        self.rest += CONTENT[offset : offset + count]

    @precondition(lambda self: self.rest)
    @rule(limit=st.one_of(st.integers(1, 2000), st.just(GATHER_BYTES)))
    def some_is_taken(self, limit: int) -> None:
        data = taken(self.outbox, limit)
        assert data
        assert self.rest.startswith(data)
        self.rest = self.rest[len(data) :]

    @rule()
    def all_is_forgotten(self) -> None:
        self.outbox.clear()
        self.rest = b""

    @invariant()
    def its_lengths_are_right(self) -> None:
        assert len(self.outbox) == len(self.rest)
        assert bool(self.outbox) == bool(self.rest)
        assert 0 <= self.outbox.waiting <= len(self.outbox)

    def teardown(self) -> None:
        self.outbox.clear()
        self.file.close()


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    deadline=None, max_examples=60, stateful_step_count=20, suppress_health_check=[HealthCheck.too_slow]
)
