"""A connection on its way between two processes: what a worker knows of it, as bytes that go with its descriptor.

    u32  crash_slot           where it stands in shared memory; 0: nowhere. Written by the master
    f64  active_at       monotonic seconds, as Connection keeps it; one clock for all processes of a host
    f64  read_deadline   monotonic seconds; 0: none
    f64  moved_at        when it was moved before; 0: never
    u64  bytes_in, u64 bytes_out
    u8   half_open
    u8   is_lost         its worker has died while it was busy: the peer is to be told, and it is to be closed
    u8   number of states
    u16  length of the PROXY header
    u8   length of the protocol's name; 0: none is chosen yet
    the PROXY header, as it came
    the protocol's name (UTF-8)
    the states, of each:
         u8 length of the plugin's name, u16 version, u32 length of the content, name (UTF-8), content

in native byte order. Nothing here does I/O. A plugin of another version can't read a state, so each has its version.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAX_FROZEN = 16_384
"""Bytes a connection may take; one with more to say stays where it is. Three times that fits a message."""

MAX_VERSION = 65_535
"""Of a plugin's `frozen_version`: it has 16 bits."""

_CRASH_SLOT = struct.Struct("=I")
CRASH_SLOT_BYTES = _CRASH_SLOT.size
_HEAD = struct.Struct("=IdddQQBBBHB")
_STATE = struct.Struct("=BHI")


class State(NamedTuple):
    """The state of one plugin; `version` is its `frozen_version`."""

    plugin: str
    version: int
    content: bytes


class Frozen(NamedTuple):
    """A connection on its way to another worker."""

    crash_slot: int
    active_at: float
    read_deadline: float
    moved_at: float
    bytes_in: int
    bytes_out: int
    half_open: bool
    is_lost: bool
    protocol: str
    """The name of the protocol that serves it; "": its listener has several, and none is chosen yet."""
    states: tuple[State, ...]
    header: bytes = b""
    """That of the PROXY protocol; empty: there is none."""

    def encode(self) -> bytes:
        """Write it.

        :raises ValueError: it takes more than MAX_FROZEN bytes, or a number of it more than its field.
        """
        *figures, protocol, states, header = self
        its = protocol.encode()
        try:
            parts = [_HEAD.pack(*figures, len(states), len(header), len(its)), header, its]
            for plugin, version, content in states:
                name = plugin.encode()
                parts += [_STATE.pack(len(name), version, len(content)), name, content]
        except struct.error as error:
            raise ValueError(f"a connection's state can't be written: {error}") from None
        record = b"".join(parts)
        if len(record) > MAX_FROZEN:
            raise ValueError(f"a connection's state of {len(record)} bytes; at most {MAX_FROZEN} are moved")
        return record

    @staticmethod
    def decode(record: bytes) -> Frozen:
        """Read one.

        :raises ValueError: it is not one.
        """
        try:
            *figures, half_open, is_lost, count, header_length, length = _HEAD.unpack_from(record)
            states: list[State] = []
            offset = _HEAD.size + header_length
            header = record[_HEAD.size : offset]
            protocol = record[offset : offset + length].decode()
            offset += length
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
        return Frozen._make((*figures, bool(half_open), bool(is_lost), protocol, tuple(states), header))


def crash_slot_of(record: bytes) -> int:
    """Read the crash_slot of an encoded connection.

    :raises ValueError: it is none.
    """
    if len(record) < _CRASH_SLOT.size:
        raise ValueError(f"no frozen connection: {len(record)} bytes")
    (crash_slot,) = _CRASH_SLOT.unpack_from(record)
    return int(crash_slot)


def with_crash_slot(record: bytes, crash_slot: int) -> bytes:
    """Write the crash_slot of an encoded connection."""
    return record if crash_slot_of(record) == crash_slot else _CRASH_SLOT.pack(crash_slot) + record[_CRASH_SLOT.size :]


def restamped(record: bytes, now: float, bytes_out: int) -> bytes:
    """Bring an older record up to date: only the states of plugins are written at each change.

    :param bytes_out: how many have been sent.
    """
    old = Frozen.decode(record)
    return old._replace(active_at=now, read_deadline=0.0, bytes_out=bytes_out).encode()


def header_of(record: bytes) -> bytes:
    """Return the PROXY header of an encoded connection; empty: it has none, or its worker has died writing it."""
    try:
        return Frozen.decode(record).header
    except ValueError:
        return b""


def lost(before: bytes) -> bytes:
    """Write a connection that was busy when its worker died: nothing is known but its PROXY header and its protocol.

    :param before: the record from when it was idle, or whatever its worker has left there.
    """
    nothing = Frozen(0, 0.0, 0.0, 0.0, 0, 0, half_open=False, is_lost=True, protocol="", states=())
    try:
        known = Frozen.decode(before)
    except ValueError:
        return nothing.encode()
    return nothing._replace(protocol=known.protocol, header=known.header).encode()
