"""The base class of streams (`stream.Stream`), for the calls that each response makes.

Through the Protocol a call goes by name. Where an exchange and its stream are machine code, these are calls in C. The
members mean what `Stream` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool_http.head import Head


class StreamBase:
    """The part of a stream that the hot path uses."""

    __slots__ = ()

    def begin(self, head: Head, size: int | None, content: bytes) -> None:
        raise NotImplementedError

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError
