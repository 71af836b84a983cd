"""A connection in memory: as hooks see it, without a socket under it.

It keeps the promises of `corepool.Connection` as the worker's does (tests/process/testing/ compares them): order, the
budget of reads, what `close` and `abort` leave, when output is congested. Time does not pass in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from corepool.spec.buffers import as_bytes
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike, ReadableBuffer

    from corepool.spec.types import Address

_READS_PER_EVENT = 4  # as in a worker: then the others get their turn
_NOT_SERVING = -1  # no event is being served: there is no budget


class MemoryConnection:
    """Implements `corepool.Connection`. The client's side is in `corepool.testing.conversation`."""

    __slots__ = (  # so that a misspelt attribute is an error here, as it is in a worker
        "_high",
        "_low",
        "_reads_left",
        "busy",
        "bytes_in",
        "bytes_out",
        "deadline_s",
        "eof",
        "facts",
        "half_open",
        "has_sent_eof",
        "id",
        "idle_s",
        "incoming",
        "is_broken",
        "listener",
        "local",
        "outgoing",
        "paused",
        "peer",
        "peer_has_ended",
        "pinned",
        "reason",
        "session",
        "was_congested",
    )

    def __init__(self, number: int, listener: str, peer: Address, local: Address, high_water: int) -> None:
        """Begin; no hook has been called yet.

        :param high_water: bytes of output above which it is congested, as the listener's `output_high_water`.
        """
        self.id = number
        self.listener = listener
        self.peer = peer
        self.local = local
        self.session: object = None
        self.eof = False
        self.half_open = False
        self.busy = False
        self.pinned = False
        self.idle_s = 0.0
        self.facts: dict[str, object] = {}
        self.bytes_in = 0
        self.bytes_out = 0
        self.reason: CloseReason | None = None
        """Why it ends; None while it is open."""
        self.paused = False
        """`pause` was called."""
        self.deadline_s: float | None = None
        """The last argument of `deadline`."""
        self.incoming = bytearray()
        """Bytes that the client has sent and the protocol has not received."""
        self.outgoing = bytearray()
        """Bytes that were sent and the client has not taken."""
        self.peer_has_ended = False
        self.is_broken = False
        """The client has broken it: the next to receive finds out."""
        self.was_congested = False
        self.has_sent_eof = False
        """`send_eof` was called."""
        self._high, self._low = high_water, high_water // 2
        self._reads_left = _NOT_SERVING

    @property
    def closed(self) -> bool:
        """Whether its end has begun."""
        return self.reason is not None

    @property
    def buffered(self) -> int:
        """Bytes that the client has not taken."""
        return len(self.outgoing)

    @property
    def congested(self) -> bool:
        """Whether too much is buffered."""
        return len(self.outgoing) > self._high

    @property
    def has_room(self) -> bool:
        """Whether it was congested, and `on_writable` is due."""
        return self.was_congested and self.buffered <= self._low and not self.closed

    def recv(self, limit: int = 65536) -> bytes:
        """Take what the client has sent."""
        if self._reads_left == 0:
            return b""
        if self._reads_left > 0:
            self._reads_left -= 1
        if self.is_broken:
            self.break_off(CloseReason.RESET)
            return b""
        data = bytes(self.incoming[:limit])
        del self.incoming[:limit]
        self.bytes_in += len(data)
        if not data and limit > 0 and self.peer_has_ended:
            self.eof = True
        return data

    def send(self, data: ReadableBuffer) -> None:
        """Buffer for the client; after `send_eof` break off, as with the kernel's EPIPE."""
        if self.closed:
            return
        data = as_bytes(data)
        if data and self.has_sent_eof:
            self.break_off(CloseReason.RESET)
        else:
            self.outgoing += data

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Buffer a part of a file; abort when the file is shorter."""
        descriptor = file if isinstance(file, int) else file.fileno()
        data = os.pread(descriptor, max(0, count), offset)
        self.send(data)
        if len(data) < count:
            self.break_off(CloseReason.RESET)

    def send_now(self) -> None:
        """Do nothing: everything that is sent can be read at once."""

    def send_eof(self) -> None:
        """End this side; the client's may go on."""
        self.has_sent_eof = True
        self.pinned = True

    def watermarks(self, high: int, low: int) -> None:
        """Set other marks than the listener's.

        :raises ValueError: not 0 <= low <= high.
        """
        if not 0 <= low <= high:
            raise ValueError(f"watermarks: expected 0 <= low <= high; got high {high}, low {low}")
        self._high, self._low = high, low

    def fileno(self) -> int:
        """Return -1: there is no descriptor."""
        return -1

    def close(self) -> None:
        """End once the client has taken the buffered output."""
        self.end(CloseReason.CLOSED)

    def abort(self) -> None:
        """End now."""
        self.break_off(CloseReason.ABORTED)

    def pause(self) -> None:
        """Leave input with the client."""
        self.paused = True

    def resume(self) -> None:
        """Undo `pause`."""
        self.paused = False

    def deadline(self, seconds: float | None) -> None:
        """Note it."""
        self.deadline_s = seconds

    # --- what the conversation calls

    def begin_event(self) -> None:
        """Allow as many reads as one event may make."""
        self._reads_left = _READS_PER_EVENT

    def end_event(self) -> None:
        """Allow any number of reads: what reads now is a task or a timer."""
        self._reads_left = _NOT_SERVING

    def end(self, reason: CloseReason) -> None:
        """End for this reason, unless it is ending already."""
        self.reason = self.reason or reason

    def break_off(self, reason: CloseReason) -> None:
        """End, and drop the buffered output."""
        self.outgoing.clear()
        self.was_congested = False
        self.end(reason)

    @property
    def wants_input(self) -> bool:
        """Whether `on_readable` is due."""
        waits = bool(self.incoming) or self.is_broken or (self.peer_has_ended and not self.eof)
        return waits and not (self.paused or self.closed or self.was_congested)

    @property
    def is_between_requests(self) -> bool:
        """Whether another worker could go on with it, as far as the core can tell."""
        return not (self.busy or self.pinned or self.paused or self.eof or self.outgoing or self.closed)
