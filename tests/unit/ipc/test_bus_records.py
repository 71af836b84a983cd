"""Records and tables of the bus."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool.errors import GarbageError
from corepool.ipc import bus_records
from corepool.ipc.bus_board import PeerTable, Table, hashed
from corepool.ipc.bus_records import FILE, LOST, LOST_OF, MAX_PACKET, MESSAGE

TOPICS = st.binary(min_size=1, max_size=80)
RECORDS = st.one_of(
    st.tuples(st.just(MESSAGE), TOPICS, st.binary(max_size=200)),
    st.tuples(st.just(LOST), st.binary(max_size=80), st.integers(0, 2**32 - 1)),
)


def written(topic: bytes, content: bytes | int) -> bytes:
    return bus_records.message(topic, content) if isinstance(content, bytes) else bus_records.lost(topic, content)


@given(st.lists(RECORDS, max_size=10))
def test_records_come_back_in_their_order(records: list[tuple[int, bytes, bytes | int]]) -> None:
    packet = b"".join(written(*each[1:]) for each in records)
    read = [
        (kind, topic, bus_records.count_of(data) if kind == LOST else data)
        for kind, topic, data in bus_records.read(packet)
    ]
    assert read == records


@given(st.lists(TOPICS), st.lists(st.binary(max_size=4096)), st.integers(0, 2**32 - 1))
def test_losses_of_topics_come_back_in_records_that_fit_a_packet(
    topics: list[bytes], prefixes: list[bytes], count: int
) -> None:
    read: tuple[list[bytes], list[bytes]] = ([], [])
    for record in bus_records.lost_of(topics, prefixes, count):
        assert len(record) <= MAX_PACKET
        ((kind, topic, data),) = bus_records.read(record)
        assert (kind, topic) == (LOST_OF, b"")
        told, *patterns = bus_records.patterns_of(data)
        assert told == count
        for found, more in zip(read, patterns, strict=True):
            found.extend(more)
    assert [sorted(each) for each in read] == [sorted(topics), sorted(prefixes)]


@given(TOPICS, st.integers(0, 2**20))
def test_a_record_of_a_file_is_alone_and_takes_as_much_room_as_many_messages(topic: bytes, length: int) -> None:
    packet = bus_records.in_file(topic, length)
    assert list(bus_records.read(packet)) == [(FILE, topic, b"")]
    assert 30_000 < len(packet) <= bus_records.MAX_PACKET


@given(st.binary(max_size=200))
def test_foreign_bytes_are_records_or_garbage(packet: bytes) -> None:
    try:
        for kind, topic, data in bus_records.read(packet):
            assert kind in (MESSAGE, LOST, FILE, LOST_OF)
            if kind == LOST_OF:
                bus_records.patterns_of(data)
            assert len(topic) + len(data) <= len(packet)
    except GarbageError:
        pass


@given(st.lists(st.tuples(TOPICS, st.booleans()), max_size=30), st.data())
def test_a_table_counts_at_least_the_subscriptions_that_there_are(
    subscriptions: list[tuple[bytes, bool]], data: st.DataObject
) -> None:
    table = Table()
    peer = PeerTable(table.fd)
    os.close(table.fd)
    for pattern, is_prefix in subscriptions:
        (table.add_prefix if is_prefix else table.add)(pattern)
    kept = subscriptions[: data.draw(st.integers(0, len(subscriptions)))]
    for pattern, is_prefix in subscriptions[len(kept) :]:
        (table.remove_prefix if is_prefix else table.remove)(pattern)

    for topic in {pattern for pattern, _ in subscriptions} | {b"other"}:
        wanted = sum(topic.startswith(pattern) if is_prefix else topic == pattern for pattern, is_prefix in kept)
        assert peer.wanting(hashed(topic)) >= wanted
    if not kept:
        assert all(peer.wanting(hashed(pattern)) == 0 for pattern, _ in subscriptions)
    table.clear()
    assert all(peer.wanting(hashed(pattern)) == 0 for pattern, _ in subscriptions)


def test_few_of_all_other_topics_seem_to_be_wanted() -> None:
    table = Table()
    peer = PeerTable(table.fd)
    os.close(table.fd)
    for number in range(1000):
        table.add(b"room.%d" % number)
    counted = Counter(peer.wanting(hashed(b"other.%d" % number)) for number in range(10_000))
    assert counted[0] > 9_900


def test_the_table_of_another_version_is_refused() -> None:
    fd = os.memfd_create("other")
    try:
        with pytest.raises(GarbageError, match="another version"):
            PeerTable(fd)
        os.ftruncate(fd, 64 + 4 * 65_536)
        with pytest.raises(GarbageError, match="format 0"):
            PeerTable(fd)
    finally:
        os.close(fd)
