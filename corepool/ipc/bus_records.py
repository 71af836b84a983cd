"""The bytes of messages of the bus: records, of which a packet between two workers has several.

    offset 0  u8   kind         MESSAGE, LOST or FILE
    offset 1  u8   0
    offset 2  u16  length of the topic
    offset 4  u32  length of the data
    offset 8  topic, then data

in native byte order: both ends are the same host. LOST: u32 messages on that topic were dropped before the next record;
an empty topic stands for topics that were not noted. FILE is alone in its packet: its data is in the sealed file whose
descriptor comes with it, and the header has its length; padding follows. Nothing here does I/O.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from corepool.errors import GarbageError
from corepool.ipc.shapes import MAX_PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE, LOST, FILE = 0, 1, 2

MAX_PACKET = MAX_PAYLOAD
"""Bytes: three fit a mailbox as the kernel makes it (net.core.wmem_default, 212,992), so that a writer and a reader can
work at the same time."""

_FILE_BYTES = 32_768
"""Of a packet with a file: a mailbox that is not read has room for six, and not for hundreds of files of 1 MiB."""

_HEADER = struct.Struct("=BBHI")
_COUNT = struct.Struct("=I")
_pack, _unpack = _HEADER.pack, _HEADER.unpack_from
HEADER_SIZE = _HEADER.size


def message(topic: bytes, data: bytes) -> bytes:
    """Write a message."""
    return _pack(MESSAGE, 0, len(topic), len(data)) + topic + data


def lost(topic: bytes, count: int) -> bytes:
    """Write how many messages were lost."""
    return _pack(LOST, 0, len(topic), _COUNT.size) + topic + _COUNT.pack(min(count, 2**32 - 1))


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
        if middle > end or at > end or kind > FILE:
            raise GarbageError(f"a record of kind {kind} that is longer than its packet")
        yield kind, packet[middle - topic_length : middle], b"" if kind == FILE else packet[middle:at]


def count_of(data: bytes) -> int:
    """Read the data of LOST.

    :raises GarbageError: it is no number.
    """
    if len(data) != _COUNT.size:
        raise GarbageError(f"a count of {len(data)} bytes")
    return int(_COUNT.unpack(data)[0])
