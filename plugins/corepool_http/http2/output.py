"""The output of one connection, as its streams share it: heads at once, content in turns while there is room.

Content is made only while little waits for the kernel, so that a short response never stands behind megabytes of
another one, and a client that reads slowly keeps its applications waiting, and no memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from corepool_http.http2.streams import BaseStream
from corepool_http.http2.turns import Turns

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.http2.codec import Codec
    from corepool_http.http2.deadlines import Deadlines
    from corepool_http.service import Service

_HIGH_WATER, _LOW_WATER = 65_536, 16_384
"""Bytes of output that wait for the kernel, above which no content is made, and below which it is made again."""

_TURN, _ALONE = 32_768, 81_920
"""Bytes of content of one turn: with others that wait, and without any."""

_ROUNDS = 4
"""Times that applications are asked for more before other connections have their turn."""


class Speaker(BaseStream):
    """A stream that has something to send."""

    __slots__ = ("blocked_at",)

    def __init__(self, number: int) -> None:
        BaseStream.__init__(self, number)
        self.blocked_at = math.inf
        """Since when the client's window has had no room for what waits."""

    def emit_head(self) -> None:
        """Make the head of its response."""
        raise NotImplementedError

    def emit(self, most: int) -> int:
        """Make a piece of content, and return its size."""
        raise NotImplementedError

    def on_room(self) -> None:
        """Have its application go on: there is room for more content."""
        raise NotImplementedError


class SharedOutput:
    """Makes and sends what the streams of one connection have to send."""

    __slots__ = (
        "_blocked",
        "_codec",
        "_conn",
        "_deadlines",
        "_heads",
        "_is_due",
        "_relieved",
        "_service",
        "_turns",
        "_waiting",
        "is_held",
        "made",
        "moved_at",
    )

    def __init__(self, conn: Connection[Any], codec: Codec, service: Service, deadlines: Deadlines) -> None:
        self._conn = conn
        self._codec = codec
        self._service = service
        self._deadlines = deadlines
        self._heads: list[Speaker] = []
        """Streams whose head was not made yet."""
        self._turns = Turns()
        self._waiting: dict[int, Speaker] = {}
        """Those that have a turn."""
        self._blocked: dict[int, Speaker] = {}
        """Streams whose client, or its connection, has no window for what waits."""
        self._relieved: list[Speaker] = []
        """Streams that have room for more content again."""
        self._is_due = False
        self.is_held = False
        """Events are being served: what they make is sent behind the last of them."""
        self.made = 0
        """Bytes of content that the codec holds."""
        self.moved_at = 0.0
        """When content was last made."""
        conn.watermarks(_HIGH_WATER, _LOW_WATER)

    def has_room(self) -> bool:
        """Return whether content may be made now."""
        return self.made + self._conn.buffered <= _HIGH_WATER

    def touch(self) -> None:
        """Have what the codec has made leave with the batch."""
        if not (self.is_held or self._is_due):
            self._is_due = True
            self._service.worker.at_batch_end(self._flush_due)

    def add_head(self, stream: Speaker) -> None:
        """Have a head leave with the batch."""
        self._heads.append(stream)
        self.touch()

    def add(self, stream: Speaker) -> None:
        """Have a stream wait for its turn to send content, or its end."""
        number = stream.number
        if number not in self._blocked:
            self._turns.add(number, stream.urgency, stream.incremental)
            self._waiting[number] = stream
        self.touch()

    def set_priority(self, stream: Speaker) -> None:
        """Let a stream that waits have another turn: its client has changed its priority."""
        if stream.number in self._waiting:
            self._turns.add(stream.number, stream.urgency, stream.incremental)

    def block(self, stream: Speaker) -> None:
        """Have a stream wait for its client to open a window."""
        self.remove(stream)
        self._blocked[stream.number] = stream
        if stream.blocked_at == math.inf:
            write_timeout = self._conn.write_timeout
            stream.blocked_at = self._deadlines.now()
            if write_timeout:
                self._deadlines.watch(stream.blocked_at + write_timeout)

    def unblock(self, stream: Speaker) -> None:
        """Let a stream go on: its window has opened."""
        if self._blocked.pop(stream.number, None) is not None:
            self.add(stream)

    def unblock_all(self) -> None:
        """Let all go on: the window of the connection has opened."""
        blocked, self._blocked = self._blocked, {}
        for stream in blocked.values():
            self.add(stream)

    def relieve(self, stream: Speaker) -> None:
        """Have an application asked for more."""
        self._relieved.append(stream)

    def remove(self, stream: Speaker) -> None:
        """Let a stream wait no more."""
        number = stream.number
        if self._waiting.pop(number, None) is not None:
            self._turns.discard(number)
        elif self._blocked:
            self._blocked.pop(number, None)

    def _flush_due(self) -> None:
        self._is_due = False
        self.flush()

    def flush(self) -> None:
        """Make what may leave now, and send it."""
        if self._heads or self._waiting:
            self._make()
        data = self._codec.take()
        self.made = 0
        if data:
            self._conn.send(data)

    def _make(self) -> None:
        waiting, turns = self._waiting, self._turns
        for _ in range(_ROUNDS):
            if self._heads:
                heads, self._heads = self._heads, []
                for stream in heads:
                    stream.emit_head()
            before = self.made
            while waiting and self.has_room():
                stream = waiting[turns.next()]
                self.made += stream.emit(_TURN if len(waiting) > 1 else _ALONE)
            if self.made != before:
                self.moved_at = self._deadlines.now()
            if not self._relieved:
                return
            relieved, self._relieved = self._relieved, []
            was_held, self.is_held = self.is_held, True
            for stream in relieved:
                stream.on_room()
            self.is_held = was_held
        if self._heads or self._relieved or (waiting and self.has_room()):
            self.touch()
