"""SETTINGS of both sides (RFC 9113, 6.5.2)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from corepool_http.http2.errors import Code, Failure
from corepool_http.http2.frames import MAX_FRAME, MAX_WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6
ENABLE_CONNECT_PROTOCOL = 0x8  # RFC 8441, 3
NO_RFC7540_PRIORITIES = 0x9  # RFC 9218, 2.1

_BOOLEAN = frozenset((ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES))
_LARGEST_MAX_FRAME = (1 << 24) - 1

_PAIR = struct.Struct(">HI")


def ours(max_streams: int, max_head: int, *, serves_websockets: bool) -> dict[int, int]:
    """Return the settings of a server."""
    values = {
        MAX_CONCURRENT_STREAMS: max_streams,
        MAX_HEADER_LIST_SIZE: max_head,
        NO_RFC7540_PRIORITIES: 1,
    }
    if serves_websockets:
        values[ENABLE_CONNECT_PROTOCOL] = 1
    return values


def read(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield the settings of a client, in their order (RFC 9113, 6.5.3). Unknown ones are ignored.

    :raises Failure: a value is out of its bounds.
    """
    for name, value in _PAIR.iter_unpack(payload):
        if name in _BOOLEAN and value > 1:
            raise Failure(Code.PROTOCOL_ERROR, f"setting {name:#x} is {value}: expected 0 or 1")
        if name == INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            raise Failure(Code.FLOW_CONTROL_ERROR, f"SETTINGS_INITIAL_WINDOW_SIZE of {value}")
        if name == MAX_FRAME_SIZE and not MAX_FRAME <= value <= _LARGEST_MAX_FRAME:
            raise Failure(Code.PROTOCOL_ERROR, f"SETTINGS_MAX_FRAME_SIZE of {value}")
        yield name, value
