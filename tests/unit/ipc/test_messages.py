"""Each message comes back as it went; bytes that are no message give one error, whatever is wrong with them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corepool.errors import GarbageError
from corepool.ipc.encoding import HEADER_SIZE, KINDS, VERSION, decode, encode
from corepool.ipc.frozen import CRASH_SLOT_BYTES
from corepool.ipc.messages import (
    MAX_FAILURE,
    AskStatus,
    BusJoined,
    BusPeerGone,
    BusPeers,
    Drain,
    Drained,
    Failed,
    FrozenConnections,
    JoinBus,
    Leaving,
    LogLevel,
    Message,
    Move,
    NewState,
    Pause,
    Ready,
    Resume,
    Room,
    StateTaken,
    Status,
    Stop,
    Thaw,
)
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import MAX_FDS, MAX_PAYLOAD, SocketIndex, fit

SOCKETS = st.integers(0, 0xFFFF).map(SocketIndex)
U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
RECORDS = st.lists(st.binary(min_size=CRASH_SLOT_BYTES, max_size=60), min_size=1, max_size=MAX_FDS).map(tuple)
SLOTS = st.lists(U32, min_size=1, max_size=MAX_FDS).map(tuple)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.sampled_from([Stop(), Status(), Ready(), Room(), Leaving(), AskStatus(), Drained()]),
    st.builds(NewConnections, SOCKETS, st.integers(1, MAX_FDS)),
    st.builds(lambda socket, slots: NewConnections(socket, len(slots), slots), SOCKETS, SLOTS),
    st.builds(Thaw, SOCKETS, RECORDS),
    st.builds(FrozenConnections, SOCKETS, RECORDS),
    st.builds(Drain, st.frozensets(SOCKETS)),
    st.builds(Pause, SOCKETS),
    st.builds(Resume, SOCKETS),
    st.builds(LogLevel, U32),
    st.builds(Move, U32, st.floats(width=32, allow_nan=False)),
    st.builds(NewState, SOCKETS, U32),
    st.builds(StateTaken, SOCKETS, U32, st.text(st.characters(codec="utf-8"), max_size=MAX_FAILURE // 4)),
    st.builds(BusPeers, U64, st.lists(U64, max_size=MAX_FDS // 2).map(tuple)),
    st.builds(BusPeerGone, U64),
    st.builds(BusJoined, U64, U64),
    st.builds(JoinBus, U64),
    st.builds(Failed, st.text(st.characters(codec="utf-8"), max_size=100).map(str.rstrip)),
)


def header(kind: int, socket: int, payload: bytes) -> bytes:
    return struct.pack("=BBHI", VERSION, kind, socket, len(payload)) + payload


FOREIGN = st.one_of(
    st.binary(max_size=64),
    st.builds(header, st.integers(0, 255) | st.sampled_from(sorted(KINDS)), st.integers(0, 9), st.binary(max_size=64)),
)


@given(MESSAGES)
def test_a_message_comes_back_as_it_went(message: Message) -> None:
    assert decode(encode(message)) == message


def test_every_kind_has_a_number_of_its_own_and_is_drawn_above() -> None:
    assert len(set(KINDS.values())) == len(KINDS)
    drawn = {Stop, Status, Ready, Room, Leaving, AskStatus, Drained, NewConnections, Thaw, FrozenConnections}
    drawn |= {Drain, Pause, Resume, LogLevel, Move, NewState, StateTaken, Failed}
    assert drawn | {BusPeers, BusPeerGone, BusJoined, JoinBus} == set(KINDS.values())


@given(MESSAGES, st.data())
def test_a_message_that_is_cut_short_or_too_long_is_garbage(message: Message, data: st.DataObject) -> None:
    record = encode(message)
    with pytest.raises(GarbageError):
        decode(record[: data.draw(st.integers(0, len(record) - 1))])
    with pytest.raises(GarbageError):
        decode(record + b"x")


@given(FOREIGN)
@example(header(1, 0, bytes((MAX_FDS + 1,))))
@example(header(1, 0, b"\0"))
@example(header(21, 0, b""))
@example(header(8, 0, struct.pack("=I", 2**32 - 1)))
def test_foreign_bytes_are_a_message_or_garbage(record: bytes) -> None:
    try:
        message = decode(record)
    except GarbageError:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        NewConnections(SocketIndex(0), MAX_FDS + 1),
        NewConnections(SocketIndex(0), 0),
        NewConnections(SocketIndex(0), 2, (1,)),
        NewConnections(SocketIndex(65_536), 1),
        Thaw(SocketIndex(0), (b"1234",) * (MAX_FDS + 1)),
        Thaw(SocketIndex(0), (bytes(MAX_PAYLOAD),)),
    ],
)
def test_a_message_that_does_not_fit_is_refused(message: Message) -> None:
    with pytest.raises(ValueError, match=r"one message|fit"):
        encode(message)


@pytest.mark.parametrize("kind", [Stop, Status, Ready, Room, Leaving, AskStatus, Drained, Pause, Resume])
def test_a_message_without_content_has_none(kind: type[Message]) -> None:
    number = next(number for number, each in KINDS.items() if each is kind)
    with pytest.raises(GarbageError, match="1 bytes"):
        decode(header(number, 0, b"x"))


@pytest.mark.parametrize(("socket", "payload"), [(0, b"\0\0\0"), (1, b""), (1, b"\0\0")])
def test_an_order_to_drain_names_its_sockets_in_its_content_alone(socket: int, payload: bytes) -> None:
    number = next(number for number, each in KINDS.items() if each is Drain)
    with pytest.raises(GarbageError, match="drain order"):
        decode(header(number, socket, payload))


@pytest.mark.parametrize("others", [[], [bytes(100)], [bytes(CRASH_SLOT_BYTES), bytes(5000)]])
def test_records_fill_a_message_to_its_last_byte(others: list[bytes]) -> None:
    overhead = len(Thaw(SocketIndex(0), [bytes(CRASH_SLOT_BYTES)]).pack()) - CRASH_SLOT_BYTES
    left = MAX_PAYLOAD - sum(overhead + len(each) for each in others) - overhead

    assert fit(others, left)
    assert len(encode(Thaw(SocketIndex(0), [*others, bytes(left)]))) == HEADER_SIZE + MAX_PAYLOAD
    assert not fit(others, left + 1)


@given(st.lists(st.integers(CRASH_SLOT_BYTES, 16_384), min_size=1, max_size=6))
def test_records_that_fit_make_a_message(sizes: list[int]) -> None:
    records: list[bytes] = []
    for size in sizes:
        if fit(records, size):
            records.append(bytes(size))
        else:
            with pytest.raises(ValueError, match="fit"):
                encode(Thaw(SocketIndex(0), [*records, bytes(size)]))
    assert len(encode(Thaw(SocketIndex(0), records))) <= HEADER_SIZE + MAX_PAYLOAD


def test_the_end_of_a_long_report_is_sent() -> None:
    message = decode(encode(Failed("x" * MAX_PAYLOAD + "the reason")))
    assert isinstance(message, Failed)
    assert message.report.endswith("the reason")
    assert len(message.report) == MAX_PAYLOAD
