"""The shapes that payloads of messages have, and their limits."""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, NewType, Self

from corepool.errors import GarbageError
from corepool.ipc.frozen import CRASH_SLOT_BYTES, crash_slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_FDS = 64
"""Descriptors per message. The kernel's limit is 253 (SCM_MAX_FD); beyond some dozens a batch saves nothing more."""

MAX_PAYLOAD = 60_000
"""Bytes per payload: below the default send buffer (212,992), so that one message always fits an empty channel."""

SocketIndex = NewType("SocketIndex", int)
"""The number of a bound socket in messages: a u16, kept over reloads. Between two masters, the position in the list of
sockets that the new one was started with."""

_LENGTH = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class Signal:
    """A message that says all by its kind."""

    def pack(self) -> bytes:
        """Return no payload."""
        return b""

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Accept no payload.

        :raises GarbageError: there is a payload, or a socket.
        """
        if payload or socket:
            raise GarbageError(f"{cls.__name__} with a socket or a payload of {len(payload)} bytes")
        return cls()


@dataclass(frozen=True, slots=True)
class SocketMessage:
    """A message about one bound socket, without a payload."""

    socket: SocketIndex

    def pack(self) -> bytes:
        """Return no payload."""
        return b""

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Accept no payload.

        :raises GarbageError: there is one.
        """
        if payload:
            raise GarbageError(f"{cls.__name__} with a payload of {len(payload)} bytes")
        return cls(socket)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A message of numbers, laid out as `LAYOUT` says."""

    LAYOUT: ClassVar[struct.Struct]

    def pack(self) -> bytes:
        """Write them."""
        return self.LAYOUT.pack(*(getattr(self, each.name) for each in fields(self)))

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read them.

        :raises GarbageError: the payload has another length, or the header names a socket.
        """
        if len(payload) != cls.LAYOUT.size or socket:
            raise GarbageError(f"{cls.__name__} with a socket or a payload of {len(payload)} bytes")
        return cls(*cls.LAYOUT.unpack(payload))


@dataclass(frozen=True, slots=True)
class FrozenRecords:
    """Frozen connections of one bound socket (ipc/frozen.py), in the order of their descriptors.

    u32 length and content of each. At most MAX_FDS, and as many bytes as `fit` allows.
    """

    socket: SocketIndex
    records: Sequence[bytes]

    @property
    def connections(self) -> int:
        """How many descriptors were sent with it."""
        return len(self.records)

    @property
    def crash_slots(self) -> list[int]:
        """The crash slot of each connection; 0: none."""
        return [crash_slot_of(record) for record in self.records]

    def pack(self) -> bytes:
        """Write the records.

        :raises ValueError: there are too many for one message.
        """
        if not 1 <= len(self.records) <= MAX_FDS:
            raise ValueError(f"{len(self.records)} frozen connections; one message has 1 to {MAX_FDS}")
        return b"".join(_LENGTH.pack(len(record)) + record for record in self.records)

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the records; the content of each is read by the process that goes on with it.

        :raises GarbageError: they are cut short, too many, or one is too short for a crash slot.
        """
        records: list[bytes] = []
        offset, end = 0, len(payload)
        while offset < end:
            start = offset + _LENGTH.size
            if start > end:
                raise GarbageError("frozen connections: cut short")
            (length,) = _LENGTH.unpack_from(payload, offset)
            offset = start + length
            if offset > end:
                raise GarbageError("frozen connections: cut short")
            if length < CRASH_SLOT_BYTES:
                raise GarbageError(f"a frozen connection of {length} bytes")
            records.append(payload[start:offset])
        if not 1 <= len(records) <= MAX_FDS:
            raise GarbageError(f"{len(records)} frozen connections; one message has 1 to {MAX_FDS}")
        return cls(socket, tuple(records))


def fit(records: Iterable[bytes], size: int) -> bool:
    """Return whether one more record of `size` bytes fits a message of frozen connections, beside these."""
    return sum(_LENGTH.size + len(record) for record in records) + _LENGTH.size + size <= MAX_PAYLOAD
