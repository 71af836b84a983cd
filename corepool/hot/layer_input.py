"""Input on its way up through the layers of a connection, a piece at a time.

A layer may make a thousand bytes of one, as decompression does. So the caller asks for one step after the other, and
stops when enough plaintext is unread: the rest waits as it came from the wire. Pure, as the layers are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.spec.layer import Layer


class LayerInput:
    """The input of a stack of at least one layer, the first nearest to the wire."""

    __slots__ = ("_stages", "has_ended", "has_more")

    def __init__(self, stack: Sequence[Layer]) -> None:
        self._stages = [_Stage(layer) for layer in stack]
        self.has_more = False
        """A step may bring something."""
        self.has_ended = False
        """Nothing comes out of the last layer any more."""

    def add(self, data: bytes) -> None:
        """Add bytes from the wire; b"" when the peer has ended its side."""
        if not self.has_ended:
            self._stages[0].add(data, is_last=not data)
            self.has_more = True

    def step(self) -> bytes:
        """Feed one layer one piece, and return the plaintext that comes out of the last layer.

        The layer next to the protocol that has input comes first. So each holds no more than the layer below it has
        made of one piece.

        :raises BaseException: of a layer.
        """
        place = len(self._stages) - 1
        while place and not self._stages[place].has_input:
            place -= 1
        out, is_last = self._stages[place].feed()
        if is_last:  # of what comes from below, nothing counts any more
            for stage in self._stages[: place + 1]:
                stage.drop()
        if place + 1 < len(self._stages):
            self._stages[place + 1].add(out, is_last=is_last)
            out = b""
        else:
            self.has_ended = is_last
        self.has_more = any(stage.has_input for stage in self._stages)
        return out


class _Stage:
    """One layer, and its input that it was not fed yet."""

    __slots__ = ("_end_is_due", "_layer", "_pending", "_taken")

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._pending = b""
        self._taken = 0
        self._end_is_due = False

    @property
    def has_input(self) -> bool:
        return bool(self._pending) or self._end_is_due

    def add(self, data: bytes, *, is_last: bool) -> None:
        if data:
            self._pending, self._taken = self._pending[self._taken :] + data, 0
        self._end_is_due = is_last

    def drop(self) -> None:
        self._pending, self._taken, self._end_is_due = b"", 0, False

    def feed(self) -> tuple[bytes, bool]:
        """Return the layer's output for the next piece, and whether it is the last."""
        begin, end = self._taken, self._taken + self._layer.input_bytes
        piece = self._pending[begin:end]
        out = b""
        if end < len(self._pending):
            self._taken = end  # not cut off, which would copy the rest for each piece
            return self._layer.received(piece), self._layer.has_ended
        is_last = self._end_is_due
        self.drop()
        if piece:
            out = self._layer.received(piece)
        if is_last:
            out += self._layer.received(b"")
        return out, is_last or self._layer.has_ended
