"""Every message between two processes of a pool, and its encoding: a master and a worker, or two masters at an upgrade.

A message is a record of its own class, with its payload written by `pack` and read by `unpack`; ipc/encoding.py adds
and takes off the header. No other file builds or reads these bytes. Nothing here does I/O.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType, Self

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

_MOVE = struct.Struct("=If")
_LEVEL = struct.Struct("=I")
_LENGTH = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class _Signal:
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
class _SocketMessage:
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
class _FrozenRecords:
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


# --- from the master to a worker


@dataclass(frozen=True, slots=True)
class NewConnections:
    """New connections of one bound socket: u8 number of connections, then a u32 crash slot for each if any has one."""

    socket: SocketIndex
    connections: int
    crash_slots: Sequence[int] = ()
    """Empty, or one for each connection; 0: none."""

    def pack(self) -> bytes:
        """Write the number and the slots.

        :raises ValueError: there are too many for one message, or the slots are not as many.
        """
        count, slots = self.connections, self.crash_slots
        if not 1 <= count <= MAX_FDS or (slots and len(slots) != count):
            raise ValueError(f"{count} connections with {len(slots)} crash slots; one message has 1 to {MAX_FDS}")
        return bytes((count,)) + array("I", slots).tobytes() if slots else bytes((count,))

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the number and the slots.

        :raises GarbageError: the payload has another length, or the number is out of range.
        """
        size = len(payload)
        if size == 1 and 1 <= payload[0] <= MAX_FDS:
            return cls(socket, payload[0])
        if size > 1 and 1 <= payload[0] <= MAX_FDS and size == 1 + 4 * payload[0]:
            return cls(socket, payload[0], tuple(array("I", payload[1:])))
        raise GarbageError(f"a handoff with {size} bytes of payload")


class Thaw(_FrozenRecords):
    """Frozen connections for this worker; acknowledged as new ones."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Drain:
    """Finish the requests that have begun, then exit 0; hand back the idle connections of some sockets: u16 each."""

    lasting: frozenset[SocketIndex] = frozenset()
    """The sockets that other workers go on serving."""

    def pack(self) -> bytes:
        """Write the sockets."""
        return array("H", sorted(self.lasting)).tobytes()

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the sockets.

        :raises GarbageError: the payload is cut short, or the header names a socket.
        """
        if len(payload) % 2 or socket:
            raise GarbageError(f"a drain order with {len(payload)} bytes of payload")
        return cls(frozenset(map(SocketIndex, array("H", payload))))


class Stop(_Signal):
    """Exit 0 at once."""

    __slots__ = ()


class Pause(_SocketMessage):
    """Accept nothing more from that bound socket, for now."""

    __slots__ = ()


class Resume(_SocketMessage):
    """Accept from it again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LogLevel:
    """Log records of this level and above: u32, a number of `logging`."""

    level: int

    def pack(self) -> bytes:
        """Write the level."""
        return _LEVEL.pack(self.level)

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the level.

        :raises GarbageError: the payload has another length, or the header names a socket.
        """
        if len(payload) != _LEVEL.size or socket:
            raise GarbageError(f"a log level of {len(payload)} bytes")
        return cls(*_LEVEL.unpack(payload))


class Status(_Signal):
    """The answer to `AskStatus`: JSON, in the file whose descriptor comes with it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Hand idle connections back and go on: u32 count, f32 seconds."""

    count: int
    rest_s: float
    """Those that were moved to this worker less than this long ago stay."""

    def pack(self) -> bytes:
        """Write both."""
        return _MOVE.pack(self.count, self.rest_s)

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read both.

        :raises GarbageError: the payload has another length, or the header names a socket.
        """
        if len(payload) != _MOVE.size or socket:
            raise GarbageError(f"a move order of {len(payload)} bytes")
        return cls(*_MOVE.unpack(payload))


# --- from a worker to the master


class Ready(_Signal):
    """It takes connections from now on. Also from a new master to the one that it replaces."""

    __slots__ = ()


class Room(_Signal):
    """It was full, and has room again."""

    __slots__ = ()


class Leaving(_Signal):
    """It has taken its last connection; what it has not acknowledged is the master's again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """It can't boot, or go on; the report says why: UTF-8, its last MAX_PAYLOAD bytes if there are more."""

    report: str

    def pack(self) -> bytes:
        """Write the end of the report, where the exception stands."""
        return self.report.encode(errors="replace")[-MAX_PAYLOAD:]

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the report; bytes that are no UTF-8 are replaced.

        :raises GarbageError: the header names a socket.
        """
        if socket:
            raise GarbageError("a report about a socket")
        return cls(payload.decode(errors="replace").rstrip())


class AskStatus(_Signal):
    """It asks for the status of all pools."""

    __slots__ = ()


class FrozenConnections(_FrozenRecords):
    """Idle connections for other workers, each with its descriptor."""

    __slots__ = ()


class Drained(_Signal):
    """It has no connection any more; its plugins close what they have opened."""

    __slots__ = ()


Message = (
    NewConnections
    | Thaw
    | Drain
    | Stop
    | Pause
    | Resume
    | LogLevel
    | Status
    | Move
    | Ready
    | Room
    | Leaving
    | Failed
    | AskStatus
    | FrozenConnections
    | Drained
)


def fit(records: Iterable[bytes], size: int) -> bool:
    """Return whether one more record of `size` bytes fits a message of frozen connections, beside these."""
    return sum(_LENGTH.size + len(record) for record in records) + _LENGTH.size + size <= MAX_PAYLOAD
