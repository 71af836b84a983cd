"""Every message between the master and a worker, and its encoding.

One message is one record of a SOCK_SEQPACKET channel, so it is never split or joined:

    offset 0  u8   version      VERSION; anything else is refused
    offset 1  u8   kind         `Kind`
    offset 2  u16  listener     index of the bound socket the descriptors came in by (HANDOFF, THAW, FROZEN), else 0
    offset 4  u32  length       of the payload that follows
    offset 8  payload           at most MAX_PAYLOAD bytes

in native byte order: both ends are the same host. Descriptors travel beside it (SCM_RIGHTS), at most
MAX_FDS per message. Nothing here does I/O.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

VERSION = 1

MAX_FDS = 64
"""Descriptors per message. The kernel's limit is 253 (SCM_MAX_FD); beyond some dozens a batch saves nothing more."""

MAX_PAYLOAD = 60_000
"""Bytes per payload: below the default send buffer (212,992), so that one message always fits an empty channel."""

_HEADER = struct.Struct("=BBHI")
HEADER_SIZE = _HEADER.size


class Kind(IntEnum):
    """What a message says. The direction is fixed."""

    HANDOFF = 1  # master to worker: as many connections as the payload's byte says, then their berths if any has one
    DRAIN = 2  # master to worker: finish what is begun, then exit 0; hand back what is idle of the sockets named (u16s)
    STOP = 3  # master to worker: exit 0 at once
    PAUSE = 4  # master to worker: accept nothing more from that bound socket, for now
    RESUME = 5  # master to worker: accept from it again
    LOG_LEVEL = 6  # master to worker: write what is as important as the payload says, or more
    STATUS = 7  # master to worker: the answer to ASK_STATUS, JSON in the file whose descriptor comes with it
    THAW = 8  # master to worker: frozen connections of one listener, packed; acknowledged as those of HANDOFF
    MOVE = 9  # master to worker: hand idle connections back and go on: how many (u32), not moved for how long (f32, s)
    READY = 16  # worker to master: takes connections from now on
    ROOM = 17  # worker to master: was full, has room again
    LEAVING = 18  # worker to master: has taken its last connection; what it has not acknowledged is the master's again
    FAILED = 19  # worker to master: can't boot, or go on; the payload says why, UTF-8
    ASK_STATUS = 20  # worker to master: how are the pools?
    FROZEN = 21  # worker to master: idle connections of one listener, packed, each with its descriptor
    DRAINED = 22  # worker to master: has no connection any more; its plugins close what they have opened


MOVE_ORDER = struct.Struct("=If")


class Message(NamedTuple):
    """One message, without its descriptors."""

    kind: Kind
    listener: int = 0
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """Encode `message`.

    :raises ValueError: the payload is longer than MAX_PAYLOAD, or the listener index not a u16.
    """
    kind, listener, payload = message
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD} fit a message")
    if not 0 <= listener <= 0xFFFF:
        raise ValueError(f"listener index {listener} does not fit 16 bits")
    return _HEADER.pack(VERSION, kind, listener, len(payload)) + payload


def decode(record: bytes) -> Message:
    """Decode one record.

    :raises ValueError: it is not a whole message of this version.
    """
    if len(record) < HEADER_SIZE:
        raise ValueError(f"record of {len(record)} bytes; a header has {HEADER_SIZE}")
    version, kind, listener, length = _HEADER.unpack_from(record)
    if version != VERSION:
        raise ValueError(f"message of version {version}; this process speaks {VERSION}")
    if len(record) != HEADER_SIZE + length:
        raise ValueError(f"message of {len(record) - HEADER_SIZE} payload bytes that claims {length}")
    return Message(Kind(kind), listener, record[HEADER_SIZE:])
