"""A connection between two processes: what a worker knows of it, as bytes that go with its descriptor.

    f64  active_at       monotonic seconds, as Connection keeps it; one clock for all processes of a host
    f64  read_deadline   monotonic seconds; 0: none
    f64  moved_at        when it was moved before; 0: never
    u64  bytes_in, u64 bytes_out
    u8   half_open
    u8   number of states, then of each:
         u8 length of the plugin's name, u16 version, u32 length of the content, name (UTF-8), content

in native byte order. Nothing here does I/O. A plugin of another version can't read a state: so each says its own.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAX_FROZEN = 16_384
"""Bytes a connection may take; one with more to say stays where it is. Three times that fits a message."""

_HEAD = struct.Struct("=dddQQBB")
_STATE = struct.Struct("=BHI")
_LENGTH = struct.Struct("=I")


class State(NamedTuple):
    """What one plugin wants to know again; `version` is its `frozen_version`."""

    plugin: str
    version: int
    content: bytes


class Frozen(NamedTuple):
    """A connection on its way to another worker."""

    active_at: float
    read_deadline: float
    moved_at: float
    bytes_in: int
    bytes_out: int
    half_open: bool
    states: tuple[State, ...]

    def encode(self) -> bytes:
        """Write it.

        :raises ValueError: it takes more than MAX_FROZEN bytes.
        """
        *figures, half_open, states = self
        parts = [_HEAD.pack(*figures, half_open, len(states))]
        for plugin, version, content in states:
            name = plugin.encode()
            parts += [_STATE.pack(len(name), version, len(content)), name, content]
        record = b"".join(parts)
        if len(record) > MAX_FROZEN:
            raise ValueError(f"a connection's state of {len(record)} bytes; at most {MAX_FROZEN} are moved")
        return record

    @staticmethod
    def decode(record: bytes) -> Frozen:
        """Read one.

        :raises ValueError: it is none.
        """
        try:
            active_at, read_deadline, moved_at, bytes_in, bytes_out, half_open, count = _HEAD.unpack_from(record)
            states: list[State] = []
            offset = _HEAD.size
            for _ in range(count):
                name_length, version, length = _STATE.unpack_from(record, offset)
                offset += _STATE.size
                name = record[offset : offset + name_length].decode()
                offset += name_length
                states.append(State(name, version, record[offset : offset + length]))
                offset += length
        except struct.error as error:
            raise ValueError(f"no frozen connection: {error}") from None
        if offset != len(record):
            raise ValueError(f"no frozen connection: {len(record)} bytes, of which {offset} mean something")
        return Frozen(active_at, read_deadline, moved_at, bytes_in, bytes_out, bool(half_open), tuple(states))


def pack(records: list[bytes]) -> bytes:
    """Join records to one payload."""
    return b"".join(_LENGTH.pack(len(record)) + record for record in records)


def unpack(payload: bytes) -> list[bytes]:
    """Take a payload apart.

    :raises ValueError: it is cut short.
    """
    records: list[bytes] = []
    offset = 0
    while offset < len(payload):
        if offset + _LENGTH.size > len(payload):
            raise ValueError("frozen connections: cut short")
        (length,) = _LENGTH.unpack_from(payload, offset)
        offset += _LENGTH.size
        record = payload[offset : offset + length]
        if len(record) != length:
            raise ValueError("frozen connections: cut short")
        records.append(record)
        offset += length
    return records


def fits(records: list[bytes], size: int, most: int) -> bool:
    """Tell whether one more record of `size` bytes fits a payload of `most`."""
    return sum(_LENGTH.size + len(record) for record in records) + _LENGTH.size + size <= most
