"""Layers for tests, and clients that speak them: the seam that TLS uses, without TLS."""

from __future__ import annotations

import codecs
import struct
from typing import TYPE_CHECKING

from corepool import Layer
from corepool.testing.served import Plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from corepool import Address

HELLO, WELCOME, ALERT, GOODBYE = b"HELLO\n", b"WELCOME\n", b"ALERT\n", b""
MAX_FRAME = 1000


def rot13(data: bytes) -> bytes:
    return codecs.encode(data.decode("latin-1"), "rot13").encode("latin-1")


class Nothing(Layer):
    """Does nothing."""

    is_open = True

    def received(self, data: bytes) -> bytes:
        return data

    def sent(self, data: bytes) -> bytes:
        return data


class Rot13(Nothing):
    """Transforms byte by byte."""

    def received(self, data: bytes) -> bytes:
        return rot13(data)

    def sent(self, data: bytes) -> bytes:
        return rot13(data)


def frame(data: bytes) -> bytes:
    return b"".join(
        struct.pack("!H", len(part)) + part
        for part in (data[place : place + MAX_FRAME] for place in range(0, len(data), MAX_FRAME))
    )


END = struct.pack("!H", 0)
"""The frame that ends a side within the layer, as TLS's close_notify does."""


class Unframer:
    """Takes frames apart."""

    def __init__(self) -> None:
        self.rest = b""
        self.has_ended = False

    def feed(self, data: bytes) -> bytes:
        self.rest += data
        out = b""
        while len(self.rest) >= 2 and not self.has_ended:
            (size,) = struct.unpack("!H", self.rest[:2])
            if size > MAX_FRAME:
                raise ValueError(f"a frame of {size} bytes")
            if len(self.rest) < 2 + size:
                break
            out += self.rest[2 : 2 + size]
            self.rest = self.rest[2 + size :]
            self.has_ended = size == 0
        return out


class Framed(Layer):
    """A handshake, then frames with a length before them; an end of its own, and an alert for wrong bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._frames = Unframer()
        self._own = b""
        self._is_open = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def has_ended(self) -> bool:
        return self._frames.has_ended

    @property
    def facts(self) -> Mapping[str, object]:
        return {"framed": True}

    def received(self, data: bytes) -> bytes:
        if not data:
            if not self.has_ended:
                raise ValueError("cut off")
            return b""
        try:
            if not self._is_open:
                self._head += data
                if not HELLO.startswith(self._head[: len(HELLO)]):
                    raise ValueError("no hello")  # noqa: TRY301  # what `feed` raises is answered, too
                if len(self._head) < len(HELLO):
                    return b""
                data, self._head = self._head[len(HELLO) :], b""
                self._own += WELCOME
                self._is_open = True
            return self._frames.feed(data)
        except ValueError:
            self._own += ALERT
            raise

    def sent(self, data: bytes) -> bytes:
        return frame(data)

    def output(self) -> bytes:
        own, self._own = self._own, b""
        return own

    def finish(self) -> None:
        self._own += END


class Layered(Plain):
    """Socket pairs with layers."""

    def __init__(self, make: Callable[[], Sequence[Layer]]) -> None:
        self._make = make

    def layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        return self._make()
