"""The messages of the bus as they are on a server's channel. Does no I/O.

16 bytes that are the sender's own, the length of the topic in 2 bytes, the topic, and the data.
"""

from __future__ import annotations

from typing import NamedTuple

ORIGIN_BYTES = 16
_HEADER_BYTES = ORIGIN_BYTES + 2


class Frame(NamedTuple):
    """A message, and which pool it comes from."""

    origin: bytes
    topic: bytes
    data: bytes


def pack(frame: Frame) -> bytes:
    """Return the bytes of a message."""
    return b"%b%b%b%b" % (frame.origin, len(frame.topic).to_bytes(2, "big"), frame.topic, frame.data)


def unpack(payload: bytes) -> Frame | None:
    """Return the message of some bytes; None if they are none: others may publish on the channel, too."""
    size = int.from_bytes(payload[ORIGIN_BYTES:_HEADER_BYTES], "big")
    end = _HEADER_BYTES + size
    if len(payload) < end or not size:
        return None
    return Frame(payload[:ORIGIN_BYTES], payload[_HEADER_BYTES:end], payload[end:])
