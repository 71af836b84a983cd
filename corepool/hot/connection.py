"""One connection: receives and sends without blocking, keeps its output in order and within bounds.

The hot path is `on_event` with nothing but EPOLLIN, one `recv`, one `send` and `send_output`: each line of it was
measured. Everything unusual (partial sends, hang-ups, closing, layers, a journal) is behind one test each, and in a
module of its own: see `site.py`.

Life: open -> `reason` set (nothing more is accepted for sending; buffered output still goes out) -> gone (out of
epoll, handed to its owner to be closed). Any change outside of an event puts the connection on the reactor's list of
the unsent, so that `flush` settles it before the next poll.

With layers (TLS) `out` is the `Layers` and never a plain bytes object, so the short way through `send` and
`send_output` is never taken; and the connection begins at a site whose `on_readable` is `open_further`.
"""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.hot import layered, outside
from corepool.hot.beginning import serve_new
from corepool.hot.ending import break_off, end
from corepool.hot.fields import Fields
from corepool.hot.filesegment import FileSegment
from corepool.hot.interest import watch
from corepool.hot.io import read
from corepool.hot.outbox import Outbox
from corepool.hot.sending import enqueue, send_output
from corepool.hot.settling import serve_unusual, settle
from corepool.hot.site import MAX_SIZE
from corepool.hot.starting import start
from corepool.hot.states import GONE, MAX_GATHERED, NEVER, NEW, NOT_SERVING, NOTHING, READS_PER_EVENT
from corepool.hot.timeouts import earliest_deadline, time_out
from corepool.spec.buffers import as_bytes
from corepool.spec.types import Address, CloseReason, TimeoutKind

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from _typeshed import FileDescriptorLike, ReadableBuffer

    from corepool.hot.layers import Layers
    from corepool.hot.site import Journal, Site

_NO_FACTS: Mapping[str, object] = {}

_CLOSED = CloseReason.CLOSED
"""Python 3.11 finds a member of an enumeration by a function in Python."""


class Connection(Fields):
    """See `corepool.Connection` for what hooks may do with it."""

    __slots__ = ()

    def __init__(
        self, site: Site, fd: int, number: int, journal: Journal | None = None, layers: Layers | None = None
    ) -> None:
        """Take over an accepted, non-blocking descriptor; it is not watched yet.

        :param number: its `id`.
        :param journal: of a connection that is to outlive a crash of this worker.
        """
        self.site = site
        self.fd = fd
        self.id = number
        self.session = None
        self.journal = journal
        self.bytes_in = 0
        self.bytes_out = 0
        self.eof = False
        self.drops_input = False
        self.half_open = False
        self.busy = False
        self.pinned = False
        self.entry = None
        self.moved_at = NEVER
        self.layers = layers
        self.header = None
        """Of a connection that has come through a trusted proxy."""
        self.out = NOTHING if layers is None else layers
        """One piece as it was sent, or an outbox once there is more, or a rest of it."""
        self.mask = EPOLLIN
        self.reason = None
        self.reads_left = NOT_SERVING
        self.paused = False
        self.was_congested = False
        self.eof_due = False
        self.high = self.site.high_water  # of the field, which has a C type
        self.low = self.high // 2
        self.active_at = NEVER
        self.blocked_at = NEVER
        self.read_deadline = None

    # --- what hooks use

    @property
    def listener(self) -> str:
        return self.site.name

    @property
    def protocol(self) -> str:
        return self.site.protocol

    @property
    def peer(self) -> Address:
        if self.header is not None and self.header.peer is not None:
            return self.header.peer
        return self.site.owner.address(self.fd, peer=True)

    @property
    def local(self) -> Address:
        if self.header is not None and self.header.local is not None:
            return self.header.local
        return self.site.owner.address(self.fd, peer=False)

    @property
    def facts(self) -> Mapping[str, object]:
        facts = _NO_FACTS if self.layers is None else self.layers.facts
        return facts if self.header is None else {"proxy": self.header, **facts}

    @property
    def closed(self) -> bool:
        return self.reason is not None

    @property
    def idle_s(self) -> float:
        return max(0.0, self.site.reactor.now - self.active_at)

    @property
    def buffered(self) -> int:
        return len(self.out)

    @property
    def congested(self) -> bool:
        return len(self.out) > self.high

    @property
    def write_timeout(self) -> float:
        return self.site.write_timeout

    def recv(self, limit: int = 65536) -> bytes:
        left = self.reads_left
        if left > 0:
            self.reads_left = left - 1
        elif left == 0:
            return b""
        else:
            return outside.receive(self, limit)
        if self.layers is not None:
            return layered.receive(self, self.layers, limit)
        try:
            data = read(self.fd, limit)
        except BlockingIOError:
            return b""
        except OSError:
            self.site.ends += left == READS_PER_EVENT
            break_off(self, CloseReason.RESET)
            return b""
        if data:
            count = len(data)
            self.bytes_in += count
            self.site.bytes_in += count
            return data
        if limit > 0:
            self.site.ends += left == READS_PER_EVENT and not self.eof
            self.eof = True
        return b""

    def send(self, data: ReadableBuffer) -> None:
        if self.reason is not None:
            return
        if type(data) is not bytes:
            data = as_bytes(data)
        if self.out is NOTHING:
            self.out = data
            if self.reads_left < 0:
                self.site.unsent.append(self)
        elif data:
            enqueue(self, data)

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        if self.reason is not None or count <= 0:
            return
        segment = FileSegment(file, offset, count)
        if self.out is not NOTHING:
            enqueue(self, segment)
            return
        self.out = Outbox(segment)
        if self.reads_left < 0:
            self.site.unsent.append(self)

    def send_now(self) -> None:
        if self.out and self.mask != GONE:
            send_output(self)
            if self.journal is not None:
                self.journal.wake()  # the caller may go on to change its state: `flush` notes that
            if self.reads_left < 0 and (self.reason is not None or self.journal is not None):
                self.site.unsent.append(self)  # it is settled with the batch

    def close(self) -> None:
        end(self, _CLOSED)

    def abort(self) -> None:
        break_off(self, CloseReason.ABORTED)

    def send_eof(self) -> None:
        if self.reason is None and not self.eof_due:
            self.eof_due = True
            self.pinned = True  # another process would not know
            self.site.unsent.append(self)

    def start_tls(self, context: ssl.SSLContext | None = None, *, received: bytes = b"") -> None:
        if self.reason is not None:
            return
        if self.layers is not None or self.eof_due:
            raise RuntimeError(
                "start_tls: this side has been ended"
                if self.eof_due
                else "start_tls: the connection is encrypted already, by its transport or by a call before"
            )
        start(self, self.site.owner.tls_layers(self, context), received)

    def watermarks(self, high: int, low: int) -> None:
        if not 0 <= low <= high:
            raise ValueError(f"watermarks: expected 0 <= low <= high; got high {high}, low {low}")
        self.high = min(high, MAX_SIZE)
        self.low = min(low, MAX_SIZE)

    def fileno(self) -> int:
        return -1 if self.mask == GONE else self.fd

    def pause(self) -> None:
        self.paused = True
        watch(self)

    def resume(self) -> None:
        self.paused = False
        watch(self)

    def deadline(self, seconds: float | None) -> None:
        if seconds is None:
            self.read_deadline = None
        else:
            self.read_deadline = self.site.reactor.now + seconds
            if self.mask != GONE and self.mask != NEW:  # noqa: PLR1714  # in C these are two comparisons
                self.site.deadlines.watch(self)

    # --- what the reactor calls

    def on_event(self, mask: int) -> None:
        journal = self.journal
        if journal is not None:
            journal.wake()
        if mask != EPOLLIN and not serve_unusual(self, mask):
            if journal is not None:
                journal.rest(self)
            return
        site = self.site
        self.reads_left = READS_PER_EVENT
        self.active_at = site.reactor.now
        site.events += 1
        site.on_readable(self)
        self.reads_left = NOT_SERVING
        out = self.out
        if out is not NOTHING:
            if site.reactor.gathers and type(out) is bytes and len(out) <= MAX_GATHERED:
                site.reactor.gathered.append(self)  # and `flush` does the rest
                return
            send_output(self)
        if self.eof or self.reason is not None:
            settle(self)
        if journal is not None:
            journal.rest(self)

    def on_failure(self) -> None:
        """Log the exception of a hook; it costs this connection alone."""
        break_off(self, CloseReason.ERROR)
        self.reads_left = NOT_SERVING
        try:
            self.site.owner.failed(self)
        finally:
            settle(self)

    def flush(self) -> None:
        """Send the output of tasks and timers, and settle the changes that they made."""
        if self.mask == GONE:
            return
        if self.out:
            self.active_at = self.site.reactor.now
            send_output(self)
        settle(self)
        if self.journal is not None:
            self.journal.rest(self)

    def serve_unread(self) -> None:
        """Serve input that a layer holds, or that has come already: the connection is on the reactor's list."""
        if self.mask == NEW:
            serve_new(self)
        elif self.mask != GONE and self.layers is not None:
            layered.serve_unread(self, self.layers)
            self.flush()

    # --- what the worker calls

    @property
    def crash_slot(self) -> int:
        """Its place in shared memory; 0: none."""
        return 0 if self.journal is None else self.journal.crash_slot

    @property
    def can_move(self) -> bool:
        """False: it never goes to another process."""
        return self.site.can_move and not self.pinned

    @property
    def is_idle(self) -> bool:
        """True when nothing that was begun here is unfinished, so that it might go on elsewhere."""
        return self.mask == EPOLLIN and not self.out and not self.busy and self.reason is None

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        return earliest_deadline(self)

    def on_deadline(self, kind: TimeoutKind) -> None:
        time_out(self, kind)
