"""The header of a message.

One message is one record of a SOCK_SEQPACKET channel, so it is never split or joined:

    offset 0  u8   version      VERSION; anything else is refused
    offset 1  u8   kind         as `KINDS` has it
    offset 2  u16  socket       index of the bound socket, where the message concerns one, else 0
    offset 4  u32  length       of the payload that follows
    offset 8  payload           at most MAX_PAYLOAD bytes

in native byte order: both ends are the same host. Descriptors travel beside it (SCM_RIGHTS), at most MAX_FDS per
message. Nothing here does I/O.
"""

from __future__ import annotations

import struct

from corepool.errors import GarbageError
from corepool.ipc.messages import (
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
from corepool.ipc.shapes import MAX_PAYLOAD

VERSION = 1

_HEADER = struct.Struct("=BBHI")
HEADER_SIZE = _HEADER.size

KINDS: dict[int, type[Message]] = {
    1: NewConnections,
    2: Drain,
    3: Stop,
    4: Pause,
    5: Resume,
    6: LogLevel,
    7: Status,
    8: Thaw,
    9: Move,
    10: NewState,
    11: BusPeers,
    12: BusPeerGone,
    13: BusJoined,
    16: Ready,
    17: Room,
    18: Leaving,
    19: Failed,
    20: AskStatus,
    21: FrozenConnections,
    22: Drained,
    23: StateTaken,
    24: JoinBus,
}
"""By the number in the header: below 16 from a master to a worker, above from a worker to its master. Between two
masters go Ready, and NewConnections and Thaw with one connection each; and on a channel of its own the bus."""

_NUMBERS = {record: number for number, record in KINDS.items()}


def encode(message: Message) -> bytes:
    """Write a message.

    :raises ValueError: it does not fit: a programming mistake of the sender.
    """
    payload = message.pack()
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD} fit a message")
    socket: int = getattr(message, "socket", 0)
    if not 0 <= socket <= 0xFFFF:
        raise ValueError(f"socket index {socket} does not fit 16 bits")
    return _HEADER.pack(VERSION, _NUMBERS[type(message)], socket, len(payload)) + payload


def decode(record: bytes) -> Message:
    """Read a message.

    :raises GarbageError: it is not a whole message of this version.
    """
    if len(record) < HEADER_SIZE:
        raise GarbageError(f"record of {len(record)} bytes; a header has {HEADER_SIZE}")
    version, kind, socket, length = _HEADER.unpack_from(record)
    if version != VERSION:
        raise GarbageError(f"message of version {version}; this process speaks {VERSION}")
    if len(record) != HEADER_SIZE + length:
        raise GarbageError(f"message of {len(record) - HEADER_SIZE} payload bytes that claims {length}")
    if kind not in KINDS:
        raise GarbageError(f"message of unknown kind {kind}")
    return KINDS[kind].unpack(record[HEADER_SIZE:], socket)
