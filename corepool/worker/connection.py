"""One connection: receives and sends without blocking, keeps its output in order and within bounds.

The hot path is `on_event` with nothing but EPOLLIN, one `recv`, one `send` and `_flush`: what stands there
was measured. Everything unusual (partial sends, hang-ups, closing) is behind one test each.

Life: open -> `_reason` set (nothing more is accepted for sending; buffered output still goes out) -> gone
(out of epoll, `on_close` told, the stream handed over to be closed). Whatever happens outside of an event puts
the connection on the reactor's list of the unsent, so that `flush` settles it before the next poll.

Reading stops while it is paused, congested, ended or closing. A hang-up that is not read takes the
connection out of epoll ("parked"), since EPOLLHUP cannot be masked and would spin.
"""

from __future__ import annotations

from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, POLLIN, poll
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.filesegment import FileSegment
from corepool.hot.outbox import Outbox
from corepool.ipc.frozen import Frozen
from corepool.spec.buffers import as_bytes
from corepool.spec.types import Address, CloseReason, TimeoutKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import FileDescriptorLike, ReadableBuffer

    from corepool.ipc.messages import SocketIndex
    from corepool.worker.deadlines import Entry
    from corepool.worker.journal import Journal
    from corepool.worker.service import Service
    from corepool.worker.wire import Handle

READS_PER_EVENT = 4
"""Calls of recv that one event may make: 256 KiB at the default limit, then the others get their turn."""

SENDS_PER_EVENT = 4
"""Calls of send that one event may make, for the same reason."""

NOT_SERVING = -1  # of _reads_left: no event is being served
_PARKED = -1  # of _mask: out of epoll, but not gone
_GONE = -2

_NEVER = 0.0

NOTHING = b""
"""Of `_out`. Compared by identity, which costs less than a test for emptiness; any other empty output is just sent."""


class Connection:
    """See `corepool.Connection` for what hooks may do with it."""

    __slots__ = (
        "_active_at",
        "_blocked_at",
        "_eof_due",
        "_fd",
        "_handle",
        "_high",
        "_journal",
        "_low",
        "_mask",
        "_out",
        "_paused",
        "_read_deadline",
        "_reads_left",
        "_reason",
        "_service",
        "_was_congested",
        "busy",
        "bytes_in",
        "bytes_out",
        "entry",
        "eof",
        "half_open",
        "id",
        "moved_at",
        "pinned",
        "session",
    )

    def __init__(self, service: Service, handle: Handle, fd: int, number: int, journal: Journal | None = None) -> None:
        """Take over what the service's wire has opened; it is not watched yet.

        :param handle: what the wire's functions take.
        :param fd: the descriptor, for epoll.
        :param number: its `id`.
        :param journal: of a connection that is to outlive a crash of this worker.
        """
        self._service = service
        self._handle = handle
        self._fd = fd
        self.id = number
        self.session: object = None
        self._journal = journal
        self.bytes_in = 0
        self.bytes_out = 0
        self.eof = False
        self.half_open = False
        self.busy = False
        self.pinned = False
        self.entry: Entry | None = None
        self.moved_at = _NEVER
        self._out: bytes | Outbox = NOTHING
        """One piece as it was sent, or an outbox once there is more, or a rest of it."""
        self._mask = EPOLLIN
        self._reason: CloseReason | None = None
        self._reads_left = NOT_SERVING
        self._paused = False
        self._was_congested = False
        self._eof_due = False
        self._high = service.high_water
        self._low = service.high_water // 2
        self._active_at = _NEVER
        self._blocked_at = _NEVER
        self._read_deadline: float | None = None

    # --- what hooks use

    @property
    def listener(self) -> str:
        return self._service.listener.name

    @property
    def peer(self) -> Address:
        return self._service.address_of(self._handle, peer=True)

    @property
    def local(self) -> Address:
        return self._service.address_of(self._handle, peer=False)

    @property
    def closed(self) -> bool:
        return self._reason is not None

    @property
    def idle_s(self) -> float:
        return max(0.0, self._service.reactor.now - self._active_at)

    @property
    def buffered(self) -> int:
        return len(self._out)

    @property
    def congested(self) -> bool:
        return len(self._out) > self._high

    def recv(self, limit: int = 65536) -> bytes:
        left = self._reads_left
        if left > 0:
            self._reads_left = left - 1
        elif left == 0:
            return b""
        else:
            return self._recv_outside(limit)
        try:
            data = self._service.read(self._handle, limit)
        except BlockingIOError:
            return b""
        except OSError:
            self._break_off(CloseReason.RESET)
            return b""
        if data:
            count = len(data)
            self.bytes_in += count
            self._service.bytes_in += count
            return data
        if limit > 0:
            self.eof = True
        return b""

    def send(self, data: ReadableBuffer) -> None:
        if self._reason is not None:
            return
        if type(data) is not bytes:
            data = as_bytes(data)
        if self._out is NOTHING:
            self._out = data
            if self._reads_left < 0:
                self._service.unsent.append(self)
        elif data:
            self._enqueue(data)

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        if self._reason is not None or count <= 0:
            return
        segment = FileSegment(file, offset, count)
        if self._out:
            self._enqueue(segment)
            return
        self._out = Outbox(segment)
        if self._reads_left < 0:
            self._service.unsent.append(self)

    def send_now(self) -> None:
        if self._out and self._mask != _GONE:
            self._flush()
            if self._reason is not None and self._reads_left < 0:
                self._service.unsent.append(self)  # it is settled with the batch

    def close(self) -> None:
        self._end(CloseReason.CLOSED)

    def abort(self) -> None:
        self._break_off(CloseReason.ABORTED)

    def send_eof(self) -> None:
        if self._reason is None and not self._eof_due:
            self._eof_due = True
            self.pinned = True  # another process would not know
            self._service.unsent.append(self)

    def watermarks(self, high: int, low: int) -> None:
        if not 0 <= low <= high:
            raise ValueError(f"watermarks: expected 0 <= low <= high; got high {high}, low {low}")
        self._high = high
        self._low = low

    def fileno(self) -> int:
        return -1 if self._mask == _GONE else self._fd

    def pause(self) -> None:
        self._paused = True
        self._watch()

    def resume(self) -> None:
        self._paused = False
        self._watch()

    def deadline(self, seconds: float | None) -> None:
        if seconds is None:
            self._read_deadline = None
        else:
            self._read_deadline = self._service.reactor.now + seconds
            if self._mask != _GONE:
                self._service.deadlines.watch(self)

    # --- what the reactor calls

    def on_event(self, mask: int) -> None:
        journal = self._journal
        if journal is not None:
            journal.wake()
        if mask != EPOLLIN and not self._serve_unusual(mask):
            if journal is not None:
                journal.rest(self)
            return
        service = self._service
        self._reads_left = READS_PER_EVENT
        self._active_at = service.reactor.now
        service.events += 1
        service.on_readable(self)
        self._reads_left = NOT_SERVING
        if self._out is not NOTHING:
            self._flush()
        if self.eof or self._reason is not None:
            self._settle()
        if journal is not None:
            journal.rest(self)

    def on_failure(self) -> None:
        """Log the exception of a hook; it costs this connection alone."""
        self._break_off(CloseReason.ERROR)
        self._reads_left = NOT_SERVING
        try:
            self._service.failed(self)
        finally:
            self._settle()

    def flush(self) -> None:
        """Send output buffered outside of an event, and act on a close there."""
        if self._mask == _GONE:
            return
        if self._out is not NOTHING:
            self._active_at = self._service.reactor.now
            self._flush()
        self._settle()
        if self._journal is not None:
            self._journal.rest(self)

    # --- what the worker calls

    def begin(self) -> None:
        """Watch the stream and greet the client.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        self._service.reactor.add(self._fd, self, EPOLLIN)
        self._active_at = self._service.reactor.now
        on_accept = self._service.chain.on_accept
        if on_accept is not None:
            self._run(on_accept)
        if self._service.idle_timeout:
            self._service.deadlines.watch(self)
        if self._journal is not None:
            self._journal.rest(self)

    def notify_drain(self) -> None:
        """Call the protocol's `on_drain`: the worker is leaving."""
        on_drain = self._service.chain.on_drain
        if on_drain is not None and self._reason is None:
            self._run(on_drain)

    def thaw(self, frozen: Frozen) -> None:
        """Go on where another process has stopped.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        service = self._service
        service.reactor.add(self._fd, self, EPOLLIN)
        self._active_at = frozen.active_at
        self.moved_at = service.reactor.now
        self.half_open = frozen.half_open
        self._read_deadline = frozen.read_deadline or None
        self.bytes_in, self.bytes_out = frozen.bytes_in, frozen.bytes_out
        if self._journal is not None:
            self._journal.wake()  # it was idle on its way; a hook that kills its worker runs once
        self._run(lambda conn: service.thaw(conn, frozen.states))
        if service.idle_timeout or self._read_deadline is not None:
            service.deadlines.watch(self)
        if self._journal is not None:
            self._journal.rest(self)

    def notify_lost(self) -> None:
        """Have the protocol send an error, since the worker that served the peer has died, and close.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        self._service.reactor.add(self._fd, self, EPOLLIN)
        self._active_at = self._service.reactor.now
        on_lost = self._service.chain.on_lost
        if on_lost is not None:
            self._run(on_lost)
        self._end(CloseReason.CLOSED)

    @property
    def crash_slot(self) -> int:
        """Its place in shared memory; 0: none. See journal.py."""
        return 0 if self._journal is None else self._journal.crash_slot

    @property
    def fd(self) -> int:
        """Its descriptor, which another process may be sent a copy of."""
        return self._fd

    @property
    def bound_index(self) -> SocketIndex:
        """What messages call the socket that it came in by."""
        return self._service.bound_index

    @property
    def can_move(self) -> bool:
        """False: connections like this one never go to another process."""
        return self._service.can_move and not self.pinned

    @property
    def rebalances(self) -> bool:
        """True when another worker would do as well."""
        return self._service.listener.dispatcher.rebalances

    @property
    def is_idle(self) -> bool:
        """True when nothing that was begun here is unfinished, so that it might go on elsewhere."""
        return self._mask == EPOLLIN and not self._out and not self.busy and self._reason is None

    def freeze(self) -> Frozen | None:
        """Return the state that another process needs to go on; None: it can't be handed on, now or ever."""
        try:
            states = self._service.chain.freezer.freeze(self)
        except HOOK_ERRORS:  # logged; it stays, and drains
            self._service.failed(self)
            return None
        if states is None:
            return None
        deadline = self._read_deadline or 0.0
        return Frozen(
            self.crash_slot,
            self._active_at,
            deadline,
            self.moved_at,
            self.bytes_in,
            self.bytes_out,
            self.half_open,
            is_lost=False,
            states=states,
        )

    def depart(self) -> None:
        """Leave this process: its descriptor is on its way to another."""
        self._mask = _GONE
        self._reason = CloseReason.MOVED
        self._service.reactor.remove(self._fd)
        self._service.let_go(self, self._handle)
        self._handle = None

    def give_up(self) -> None:
        """Close without `on_close`: it could not begin."""
        service = self._service
        self._mask, self._reason = _GONE, CloseReason.ERROR
        self._forget_output()
        service.parked.discard(self)
        service.reactor.discard(self._fd, self)
        service.deadlines.forget(self)
        service.reactor.close_later(service.wire.close, self._handle)
        self._handle = self.session = None

    def leave_if_idle(self, quiet_since: float) -> None:
        """Close, if the connection is between requests and nothing more has arrived.

        :param quiet_since: leave it open if it was active, or accepted, after this moment.
        """
        if self._reason is not None or self.busy or self._out or self._active_at > quiet_since:
            return
        # A plugin that has paused it will read the waiting input: an extension that slows a client down, say.
        if (self._mask == EPOLLIN or (self._paused and not self.eof)) and self._has_input():
            return
        self._end(CloseReason.DRAIN)

    def break_off_for_drain(self) -> None:
        """Close now: the drain deadline has passed."""
        self._break_off(CloseReason.DRAIN)

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        service = self._service
        due: tuple[float, TimeoutKind] | None = None
        if service.idle_timeout and not self._blocked_at:
            due = (self._active_at + service.idle_timeout, TimeoutKind.IDLE)
        if service.write_timeout and self._blocked_at:
            due = (self._blocked_at + service.write_timeout, TimeoutKind.WRITE)
        if self._read_deadline is not None and (due is None or self._read_deadline < due[0]):
            due = (self._read_deadline, TimeoutKind.READ)
        return due

    def on_deadline(self, kind: TimeoutKind) -> None:
        now = self._service.reactor.now
        if kind is TimeoutKind.READ:
            self._read_deadline = None
        elif kind is TimeoutKind.IDLE:
            self._active_at = now
        else:
            self._blocked_at = now
        on_timeout = self._service.chain.on_timeout
        kept = on_timeout is not None and self._run(lambda conn: on_timeout(conn, kind)) is not None
        if kept:
            return
        if kind is TimeoutKind.WRITE:
            self._break_off(CloseReason.TIMEOUT)
        else:
            self._end(CloseReason.TIMEOUT)

    # --- output

    def _enqueue(self, piece: bytes | FileSegment) -> None:
        out = self._out
        if isinstance(out, bytes):
            out = self._out = Outbox(out)
        out.append(piece)
        if out.waiting > self._service.output_limit:
            self._service.overflowed(self)
            self._break_off(CloseReason.OVERFLOW)

    def _flush(self) -> None:
        out = self._out
        journal = self._journal
        if journal is not None:
            is_part = self.busy or self.eof or self._reason is not None or type(out) is not bytes
            journal.sends(self, 0 if is_part or len(out) > self._high else len(out))
        if type(out) is not bytes:
            self._flush_queue()
            return
        service = self._service
        try:
            sent = service.write(self._handle, out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break_off(CloseReason.RESET)
            return
        self.bytes_out += sent
        service.bytes_out += sent
        if journal is not None:
            journal.sent(sent)
        if sent == len(out) <= self._high:
            self._out = NOTHING
        else:
            self._was_congested = len(out) > self._high
            self._out = Outbox(memoryview(out)[sent:])
            self._flush_queue()

    def _flush_queue(self) -> None:
        """Send until everything is gone, the peer takes no more, or the others are due."""
        service = self._service
        progress = False
        for _ in range(SENDS_PER_EVENT):
            if self.congested:
                self._was_congested = True
            if self._out:
                sent = self._send_piece()
                if not sent:
                    break
                progress = True
                self.bytes_out += sent
                service.bytes_out += sent
            if self._was_congested and self.buffered <= self._low and self._reason is None:
                self._was_congested = False
                if service.chain.on_writable is not None:
                    # Not `_run`: this call sends what the hook sends, within its budget. On the list of the unsent,
                    # an endless producer with a greedy reader would have the worker to itself.
                    self._guard(service.chain.on_writable)
            if not self._out:
                break
        if self._mask == _GONE:
            return
        was_blocked = self._blocked_at
        if not self._out and not self._was_congested:
            self._blocked_at = _NEVER
        elif progress or not was_blocked:
            self._blocked_at = service.reactor.now
        if was_blocked and progress:
            self._active_at = service.reactor.now
        self._watch()
        if service.write_timeout and self._blocked_at and not was_blocked:
            service.deadlines.watch(self)

    def _send_piece(self) -> int:
        """Send from the front of the output; 0 when the peer takes no more or is gone."""
        out = self._out
        if isinstance(out, bytes):
            out = self._out = Outbox(out)
        front = out.front()
        try:
            if isinstance(front, FileSegment):
                sent = self._service.wire.send_file(self._handle, front)
            else:
                sent = self._service.write(self._handle, front)
        except BlockingIOError:
            return 0
        except (OSError, EOFError):
            self._break_off(CloseReason.RESET)
            return 0
        out.advance(sent)
        if not out:
            self._out = NOTHING
        return sent

    def _forget_output(self) -> None:
        if isinstance(self._out, Outbox):
            self._out.clear()
        self._out = NOTHING

    # --- input

    def _recv_outside(self, limit: int) -> bytes:
        """Receive outside of an event, as tasks and timers do; what it meets (the end, a reset) is settled later."""
        if self._mask == _GONE:
            return b""
        if self._journal is not None:
            self._journal.wake()
            self._service.unsent.append(self)  # `flush` has it written where the connection stands then
        self._reads_left = 1
        try:
            data = self.recv(limit)
        finally:
            self._reads_left = NOT_SERVING
        if data:
            self._active_at = self._service.reactor.now
        if self.eof or self._reason is not None:
            self._service.unsent.append(self)
        return data

    # --- events other than plain input

    def _serve_unusual(self, mask: int) -> bool:
        """Serve everything but input; True when input is to be served too."""
        if mask & EPOLLOUT:
            self._flush_queue()
            self._settle()
            if self._mask == _GONE:
                return False
        if self._mask & EPOLLIN:
            # recv tells what a hang-up or an error means, after what came before it.
            return bool(mask & ~EPOLLOUT)
        if mask & EPOLLERR or (mask & EPOLLHUP and not self._paused):
            # Its input would not be read, and nothing can be sent to a peer that has hung up.
            self._break_off(CloseReason.RESET)
            self._settle()
        elif mask & EPOLLHUP:
            self._service.reactor.remove(self._fd)
            self._service.parked.add(self)
            self._mask = _PARKED
        return False

    def _watch(self) -> None:
        """Watch for what can be served now."""
        if self._mask == _GONE:
            return
        reading = not (self._paused or self.eof or self._reason is not None or self._was_congested)
        mask = (EPOLLIN if reading else 0) | (EPOLLOUT if self._blocked_at else 0)
        if mask == self._mask:
            return
        if self._mask != _PARKED:
            self._service.reactor.change(self._fd, mask)
        elif mask:
            try:
                self._service.reactor.add(self._fd, self, mask)
            except OSError as error:  # nothing would ever wake it
                self._service.cannot_watch(self, error)
                self._break_off(CloseReason.ERROR)
                return
            self._service.parked.discard(self)
        else:
            return
        self._mask = mask

    def _has_input(self) -> bool:
        poller = poll()
        poller.register(self._fd, POLLIN)
        return bool(poller.poll(0))

    def _run(self, hook: Callable[[Connection], object]) -> object:
        """Call a hook outside of `on_event`, and have what it did settled before the next poll."""
        result = self._guard(hook)
        if self._reads_left == NOT_SERVING and (self._out or self.eof or self._reason is not None):
            self._service.unsent.append(self)
        return result

    def _guard(self, hook: Callable[[Connection], object]) -> object:
        """Call a hook; the caller sends and settles. An exception costs this connection alone."""
        was_serving = self._reads_left
        self._reads_left = READS_PER_EVENT
        try:
            return hook(self)
        except HOOK_ERRORS:  # logged
            self._break_off(CloseReason.ERROR)
            self._service.failed(self)
            return None
        finally:
            self._reads_left = was_serving

    # --- the end

    def _end(self, reason: CloseReason) -> None:
        """Accept no more output; close once the buffered output has left."""
        if self._reason is None:
            self._reason = reason
            if self._reads_left == NOT_SERVING:
                self._service.unsent.append(self)

    def _break_off(self, reason: CloseReason) -> None:
        """Close without sending buffered output.

        Not at once: `on_close` must not run inside another hook of the same connection.
        """
        self._forget_output()
        self._blocked_at = _NEVER
        self._was_congested = False
        if self._reason is None:
            self._reason = reason
        if self._reads_left == NOT_SERVING:
            self._service.unsent.append(self)

    def _settle(self) -> None:
        """Act on the end of input and on close."""
        if self._mask == _GONE:
            return
        if self._reason is None:
            if self._eof_due and not self._out:
                self._eof_due = False
                self._service.end_output(self._handle)
            if not self.eof:
                return
            if self.half_open:
                self._watch()
                return
            self._reason = CloseReason.EOF
        if self._out:
            self._watch()
            return
        mask, self._mask = self._mask, _GONE
        if mask == _PARKED:
            self._service.parked.discard(self)
        else:
            self._service.reactor.remove(self._fd)
        self._service.release(self, self._handle, self._reason, ended=self.eof)
        self._handle = None  # its number will soon be another's
