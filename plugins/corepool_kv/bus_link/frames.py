"""The messages of the bus as they are on a server's channel. Does no I/O.

A byte with the format, 16 bytes that are the sending pool's own, the number of the message in 8 bytes, the length of
the topic in 2 bytes, the topic, and the data. The number is one more for each message of the pool. A beat has no topic:
it tells the number of the last message, so that others notice that they have missed it.
"""

from __future__ import annotations

from typing import NamedTuple

ORIGIN_BYTES = 16
_FORMAT = 2
_NUMBER_AT = 1 + ORIGIN_BYTES
_LENGTH_AT = _NUMBER_AT + 8
_HEADER_BYTES = _LENGTH_AT + 2

MAX_ORIGINS = 1024
"""Other pools whose numbers are known."""


class Frame(NamedTuple):
    """A message or a beat, and which pool it comes from."""

    origin: bytes
    number: int
    topic: bytes = b""
    data: bytes = b""


def pack(frame: Frame) -> bytes:
    """Return the bytes of a message."""
    number, length = frame.number.to_bytes(8), len(frame.topic).to_bytes(2)
    return b"%c%b%b%b%b%b" % (_FORMAT, frame.origin, number, length, frame.topic, frame.data)


def unpack(payload: bytes) -> Frame | None:
    """Return the message of some bytes; None if they are none: others may publish on the channel, too."""
    end = _HEADER_BYTES + int.from_bytes(payload[_LENGTH_AT:_HEADER_BYTES])
    if len(payload) < max(end, _HEADER_BYTES) or payload[0] != _FORMAT:
        return None
    number = int.from_bytes(payload[_NUMBER_AT:_LENGTH_AT])
    return Frame(payload[1:_NUMBER_AT], number, payload[_HEADER_BYTES:end], payload[end:])


class Numbers:
    """The numbers of the last messages of other pools: a gap is a loss."""

    def __init__(self, known: dict[bytes, int]) -> None:
        """Begin with those that a worker before this one has seen.

        :param known: by origin.
        """
        self._last = known

    def take(self, frame: Frame) -> int:
        """Note a message or a beat; return how many messages were lost before it."""
        last = self._last.get(frame.origin)
        if last is None:
            if len(self._last) >= MAX_ORIGINS:
                del self._last[next(iter(self._last))]
            self._last[frame.origin] = frame.number
            return 0
        lost = frame.number - last - bool(frame.topic)
        self._last[frame.origin] = max(last, frame.number)
        return max(0, lost)

    def __getitem__(self, origin: bytes) -> int:
        """Return the number of its last message."""
        return self._last[origin]
