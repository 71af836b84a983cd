"""The bytes of messages of the bus: records, of which a packet between two workers has several.

    offset 0  u8   kind         MESSAGE, LOST, FILE or LOST_OF
    offset 1  u8   0
    offset 2  u16  length of the topic
    offset 4  u32  length of the data
    offset 8  topic, then data

in native byte order: both ends are the same host. LOST: u32 messages on that topic were dropped before the next record;
an empty topic stands for topics that were not noted. FILE is alone in its packet: its data is in the sealed file whose
descriptor comes with it, and the header has its length; padding follows. LOST_OF: u32 messages were lost before they
came to the bus, of some of the topics and prefixes that follow, each behind a u8 (1: a prefix) and its length as u16.
Nothing here does I/O.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from corepool.errors import GarbageError
from corepool.ipc.shapes import MAX_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MESSAGE, LOST, FILE, LOST_OF = range(4)

MAX_PACKET = MAX_PAYLOAD
"""Bytes: three fit a mailbox as the kernel makes it (net.core.wmem_default, 212,992), so that a writer and a reader can
work at the same time."""

_FILE_BYTES = 32_768
"""Of a packet with a file: a mailbox that is not read has room for six, and not for hundreds of files of 1 MiB."""

_HEADER = struct.Struct("=BBHI")
_COUNT = struct.Struct("=I")
_PATTERN = struct.Struct("=BH")
_pack, _unpack = _HEADER.pack, _HEADER.unpack_from
HEADER_SIZE = _HEADER.size


def message(topic: bytes, data: bytes) -> bytes:
    """Write a message."""
    return _pack(MESSAGE, 0, len(topic), len(data)) + topic + data


def lost(topic: bytes, count: int) -> bytes:
    """Write how many messages were lost."""
    return _pack(LOST, 0, len(topic), _COUNT.size) + topic + _COUNT.pack(min(count, 2**32 - 1))


def lost_of(topics: Iterable[bytes], prefixes: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Write how many messages of some topics were lost; in several records if one is not enough."""
    patterns = [(0, topic) for topic in topics] + [(1, prefix) for prefix in prefixes]
    while patterns:
        data = bytearray(_COUNT.pack(min(count, 2**32 - 1)))
        while patterns and len(data) < MAX_PACKET // 2:
            is_prefix, pattern = patterns.pop()
            data += _PATTERN.pack(is_prefix, len(pattern)) + pattern
        yield _pack(LOST_OF, 0, 0, len(data)) + data


def patterns_of(data: bytes) -> tuple[int, list[bytes], list[bytes]]:
    """Read the data of LOST_OF: the number, the topics and the prefixes.

    :raises GarbageError: it is none.
    """
    count = count_of(data[: _COUNT.size])
    found: tuple[list[bytes], list[bytes]] = ([], [])
    at = _COUNT.size
    while at < len(data):
        if at + _PATTERN.size > len(data):
            raise GarbageError("a pattern without a length")
        is_prefix, length = _PATTERN.unpack_from(data, at)
        at += _PATTERN.size + length
        if at > len(data) or is_prefix > 1:
            raise GarbageError("a pattern that is longer than its record")
        found[is_prefix].append(data[at - length : at])
    return count, *found


def in_file(topic: bytes, length: int) -> bytes:
    """Write a message whose data is in a file."""
    return (_pack(FILE, 0, len(topic), length) + topic).ljust(_FILE_BYTES, b"\0")


def read(packet: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield kind, topic and data of each record; the data of FILE is empty.

    :raises GarbageError: it is no packet; the records before were yielded.
    """
    at, end = 0, len(packet)
    while at < end:
        if at + HEADER_SIZE > end:
            raise GarbageError("a record without a header")
        kind, _, topic_length, data_length = _unpack(packet, at)
        middle = at + HEADER_SIZE + topic_length
        at = end if kind == FILE else middle + data_length
        if middle > end or at > end or kind > LOST_OF:
            raise GarbageError(f"a record of kind {kind} that is longer than its packet")
        yield kind, packet[middle - topic_length : middle], b"" if kind == FILE else packet[middle:at]


def count_of(data: bytes) -> int:
    """Read the data of LOST.

    :raises GarbageError: it is no number.
    """
    if len(data) != _COUNT.size:
        raise GarbageError(f"a count of {len(data)} bytes")
    return int(_COUNT.unpack(data)[0])
