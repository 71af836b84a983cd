"""Every message between two processes of a pool, and its encoding: a master and a worker, or two masters at an upgrade.

A message is a record of its own class, with its payload written by `pack` and read by `unpack`; ipc/encoding.py adds
and takes off the header. No other file but new_connections.py, which is compiled, builds or reads these bytes. Nothing
here does I/O.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import Self

from corepool.errors import GarbageError
from corepool.ipc.new_connections import NewConnections
from corepool.ipc.shapes import MAX_FDS, MAX_PAYLOAD, FrozenRecords, Numbers, Signal, SocketIndex, SocketMessage

_NUMBER = struct.Struct("=I")
_MEMBER = struct.Struct("=Q")

MAX_FAILURE = 2000
"""Bytes of the reason why a worker can't take a state: some lines of `status`."""


# --- from the master to a worker


class Thaw(FrozenRecords):
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


class Stop(Signal):
    """Exit 0 at once."""

    __slots__ = ()


class Pause(SocketMessage):
    """Accept nothing more from that bound socket, for now."""

    __slots__ = ()


class Resume(SocketMessage):
    """Accept from it again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LogLevel(Numbers):
    """Log records of this level and above: u32, a number of `logging`."""

    LAYOUT = struct.Struct("=I")

    level: int


class Status(Signal):
    """The answer to `AskStatus`: JSON, in the file whose descriptor comes with it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Move(Numbers):
    """Hand idle connections back and go on: u32 count, f32 seconds."""

    LAYOUT = struct.Struct("=If")

    count: int
    rest_s: float
    """Those that were moved to this worker less than this long ago stay."""


@dataclass(frozen=True, slots=True)
class NewState:
    """A transport serves with a new state from now on: u32 its number; its bytes are in the sealed file with it."""

    socket: SocketIndex
    number: int

    def pack(self) -> bytes:
        """Write the number."""
        return _NUMBER.pack(self.number)

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the number.

        :raises GarbageError: the payload has another length.
        """
        if len(payload) != _NUMBER.size:
            raise GarbageError(f"a new state of {len(payload)} bytes")
        return cls(socket, *_NUMBER.unpack(payload))


@dataclass(frozen=True, slots=True)
class BusPeers:
    """Others that take part in the bus: u64 how many had joined with the last of them, then a u64 number for each.

    With two descriptors each, as `JoinBus`. Also between masters, where the first number means nothing.
    """

    joins: int
    numbers: tuple[int, ...]

    def pack(self) -> bytes:
        """Write the numbers.

        :raises ValueError: there are too many for one message.
        """
        if 2 * len(self.numbers) > MAX_FDS:
            raise ValueError(f"{len(self.numbers)} peers; one message has {MAX_FDS // 2} at most")
        return array("Q", (self.joins, *self.numbers)).tobytes()

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read the numbers.

        :raises GarbageError: the payload is cut short or too long, or the header names a socket.
        """
        count, rest = divmod(len(payload), _MEMBER.size)
        if rest or socket or not 1 <= count <= 1 + MAX_FDS // 2:
            raise GarbageError(f"peers in {len(payload)} bytes of payload")
        joins, *numbers = array("Q", payload)
        return cls(joins, tuple(numbers))


@dataclass(frozen=True, slots=True)
class BusPeerGone(Numbers):
    """One of them has ended: u64 its number. Also between masters."""

    LAYOUT = _MEMBER

    number: int


@dataclass(frozen=True, slots=True)
class BusJoined(Numbers):
    """All others know the one with that number, u64, or will before they send: u64 how many have joined by now.

    Also between masters: those of the one that says so.
    """

    LAYOUT = struct.Struct("=QQ")

    number: int
    joins: int


# --- from a worker to the master


@dataclass(frozen=True, slots=True)
class JoinBus(Numbers):
    """It takes part in the bus: u64 a number of its own choice, not 0.

    With two descriptors if it has subscriptions, the sending end of its mailbox and its table (ipc/bus_board.py);
    without any if it publishes, or asks for all others again. Between masters it is the
    first message on the channel: 0.
    """

    LAYOUT = _MEMBER

    number: int


@dataclass(frozen=True, slots=True)
class StateTaken:
    """It serves with a state that it was sent: u32 its number; or why not: UTF-8, MAX_FAILURE bytes at most."""

    socket: SocketIndex
    number: int
    failure: str = ""

    def pack(self) -> bytes:
        """Write both, the failure as far as it fits."""
        return _NUMBER.pack(self.number) + self.failure.encode(errors="replace")[:MAX_FAILURE]

    @classmethod
    def unpack(cls, payload: bytes, socket: SocketIndex) -> Self:
        """Read both; bytes that are no UTF-8 are replaced.

        :raises GarbageError: the payload is cut short, or too long.
        """
        if not _NUMBER.size <= len(payload) <= _NUMBER.size + MAX_FAILURE:
            raise GarbageError(f"an answer to a new state of {len(payload)} bytes")
        (number,) = _NUMBER.unpack_from(payload)
        return cls(socket, number, payload[_NUMBER.size :].decode(errors="replace"))


class Ready(Signal):
    """It takes connections from now on. Also from a new master to the one that it replaces."""

    __slots__ = ()


class Room(Signal):
    """It was full, and has room again."""

    __slots__ = ()


class Leaving(Signal):
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


class AskStatus(Signal):
    """It asks for the status of all pools."""

    __slots__ = ()


class FrozenConnections(FrozenRecords):
    """Idle connections for other workers, each with its descriptor."""

    __slots__ = ()


class Drained(Signal):
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
    | NewState
    | BusPeers
    | BusPeerGone
    | BusJoined
    | Ready
    | Room
    | Leaving
    | Failed
    | AskStatus
    | FrozenConnections
    | Drained
    | StateTaken
    | JoinBus
)
