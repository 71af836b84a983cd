"""One connection: receives and sends without blocking, keeps its output in order and within bounds.

The hot path is `on_event` with nothing but EPOLLIN, one `recv`, one `send` and `_flush`: each line of it was measured.
Everything unusual (partial sends, hang-ups, closing, layers, a journal) is behind one test each.

Life: open -> `_reason` set (nothing more is accepted for sending; buffered output still goes out) -> gone (out of
epoll, handed to its owner to be closed). Any change outside of an event puts the connection on the reactor's list of
the unsent, so that `flush` settles it before the next poll.

Reading stops while it is paused, congested, ended or closing. A hang-up during a pause takes the connection out of
epoll ("parked"), since EPOLLHUP cannot be masked and would spin.

With layers (TLS) `_out` is the `Layers` and never a plain bytes object, so the short way through `send` and `_flush` is
never taken; and the connection begins at a site whose `on_readable` is `open_further`.
"""

from __future__ import annotations

from os import read, write
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, POLLIN, poll
from socket import SHUT_WR
from typing import TYPE_CHECKING, Protocol

from corepool.guards import HOOK_ERRORS
from corepool.hot.filesegment import FileSegment
from corepool.hot.layers import READ_BYTES, LayerError, Layers
from corepool.hot.outbox import Outbox
from corepool.hot.sockets import shut_down
from corepool.spec.buffers import as_bytes
from corepool.spec.types import Address, CloseReason, TimeoutKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import FileDescriptorLike, ReadableBuffer

    from corepool.hot.deadlines import Entry
    from corepool.hot.site import Site

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

_NO_FACTS: Mapping[str, object] = {}


class Journal(Protocol):
    """Where a connection that is to outlive a crash of its worker notes its progress."""

    crash_slot: int

    def wake(self) -> None:
        """Note that input may be read from now on."""

    def sends(self, conn: Connection, length: int) -> None:
        """Note that output is about to be sent: a whole reply of `length`, or (0) a part of one."""

    def sent(self, count: int) -> None:
        """Note how much of it has left."""

    def rest(self, conn: Connection) -> None:
        """Note that an event is over."""


class Connection:
    """See `corepool.Connection` for what hooks may do with it."""

    __slots__ = (
        "_blocked_at",
        "_eof_due",
        "_fd",
        "_high",
        "_journal",
        "_layers",
        "_low",
        "_mask",
        "_out",
        "_paused",
        "_reads_left",
        "_reason",
        "_was_congested",
        "active_at",
        "busy",
        "bytes_in",
        "bytes_out",
        "entry",
        "eof",
        "half_open",
        "id",
        "moved_at",
        "pinned",
        "read_deadline",
        "session",
        "site",
    )

    def __init__(
        self, site: Site, fd: int, number: int, journal: Journal | None = None, layers: Layers | None = None
    ) -> None:
        """Take over an accepted, non-blocking descriptor; it is not watched yet.

        :param number: its `id`.
        :param journal: of a connection that is to outlive a crash of this worker.
        """
        self.site = site
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
        self._layers = layers
        self._out: bytes | Outbox | Layers = NOTHING if layers is None else layers
        """One piece as it was sent, or an outbox once there is more, or a rest of it."""
        self._mask = EPOLLIN
        self._reason: CloseReason | None = None
        self._reads_left = NOT_SERVING
        self._paused = False
        self._was_congested = False
        self._eof_due = False
        self._high = site.high_water
        self._low = site.high_water // 2
        self.active_at = _NEVER
        self._blocked_at = _NEVER
        self.read_deadline: float | None = None

    # --- what hooks use

    @property
    def listener(self) -> str:
        return self.site.name

    @property
    def peer(self) -> Address:
        return self.site.owner.address(self._fd, peer=True)

    @property
    def local(self) -> Address:
        return self.site.owner.address(self._fd, peer=False)

    @property
    def facts(self) -> Mapping[str, object]:
        return _NO_FACTS if self._layers is None else self._layers.facts

    @property
    def closed(self) -> bool:
        return self._reason is not None

    @property
    def idle_s(self) -> float:
        return max(0.0, self.site.reactor.now - self.active_at)

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
        if self._layers is not None:
            return self._recv_layered(self._layers, limit)
        try:
            data = read(self._fd, limit)
        except BlockingIOError:
            return b""
        except OSError:
            self._break_off(CloseReason.RESET)
            return b""
        if data:
            count = len(data)
            self.bytes_in += count
            self.site.bytes_in += count
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
                self.site.unsent.append(self)
        elif data:
            self._enqueue(data)

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        if self._reason is not None or count <= 0:
            return
        segment = FileSegment(file, offset, count)
        if self._out is not NOTHING:
            self._enqueue(segment)
            return
        self._out = Outbox(segment)
        if self._reads_left < 0:
            self.site.unsent.append(self)

    def send_now(self) -> None:
        if self._out and self._mask != _GONE:
            self._flush()
            if self._journal is not None:
                self._journal.wake()  # the caller may go on to change its state: `flush` notes that
            if self._reads_left < 0 and (self._reason is not None or self._journal is not None):
                self.site.unsent.append(self)  # it is settled with the batch

    def close(self) -> None:
        self._end(CloseReason.CLOSED)

    def abort(self) -> None:
        self._break_off(CloseReason.ABORTED)

    def send_eof(self) -> None:
        if self._reason is None and not self._eof_due:
            self._eof_due = True
            self.pinned = True  # another process would not know
            self.site.unsent.append(self)

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
            self.read_deadline = None
        else:
            self.read_deadline = self.site.reactor.now + seconds
            if self._mask != _GONE:
                self.site.deadlines.watch(self)

    # --- what the reactor calls

    def on_event(self, mask: int) -> None:
        journal = self._journal
        if journal is not None:
            journal.wake()
        if mask != EPOLLIN and not self._serve_unusual(mask):
            if journal is not None:
                journal.rest(self)
            return
        site = self.site
        self._reads_left = READS_PER_EVENT
        self.active_at = site.reactor.now
        site.events += 1
        site.on_readable(self)
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
            self.site.owner.failed(self)
        finally:
            self._settle()

    def flush(self) -> None:
        """Send the output of tasks and timers, and settle the changes that they made."""
        if self._mask == _GONE:
            return
        if self._layers is not None and self._layers.queued:
            self._serve_held(self._layers)
        if self._out:
            self.active_at = self.site.reactor.now
            self._flush()
        self._settle()
        if self._journal is not None:
            self._journal.rest(self)

    # --- what the worker calls

    def begin(self, hook: Callable[[Connection], object] | None) -> None:
        """Watch the descriptor, and call the first hook.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        site = self.site
        site.reactor.add(self._fd, self, EPOLLIN)
        if not self.active_at:
            self.active_at = site.reactor.now
        if self._layers is not None:
            self.read_deadline = site.reactor.now + self._layers.opening_timeout
            self._serve_later(self._layers)  # a layer may speak first, or be open already
        if hook is not None:
            self._run(hook)
        if site.idle_timeout or self.read_deadline is not None:
            site.deadlines.watch(self)
        if self._journal is not None:
            self._journal.rest(self)

    def notify_drain(self) -> None:
        """Call the protocol's `on_drain`: the worker is leaving."""
        on_drain = self.site.on_drain
        if on_drain is not None and self._reason is None:
            self._run(on_drain)

    def notify_lost(self) -> None:
        """Have the protocol tell the client that the worker which served it has died, and close.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        self.busy = True  # its plugins do not know it, and are not asked for its state
        self.begin(self.site.on_lost)
        self._end(CloseReason.CLOSED)

    @property
    def crash_slot(self) -> int:
        """Its place in shared memory; 0: none."""
        return 0 if self._journal is None else self._journal.crash_slot

    @property
    def can_move(self) -> bool:
        """False: it never goes to another process."""
        return self.site.can_move and not self.pinned

    @property
    def is_idle(self) -> bool:
        """True when nothing that was begun here is unfinished, so that it might go on elsewhere."""
        return self._mask == EPOLLIN and not self._out and not self.busy and self._reason is None

    def depart(self) -> None:
        """Leave this process: its descriptor is on its way to another."""
        self._mask, self._reason = _GONE, CloseReason.MOVED
        self.site.reactor.remove(self._fd)
        self.site.owner.ended(self, self._fd, CloseReason.MOVED)
        self._fd = -1

    def give_up(self) -> int:
        """Stop, with no word to the plugins: it could not begin. The caller owns the returned descriptor."""
        fd, self._fd = self._fd, -1
        self._mask, self._reason = _GONE, CloseReason.ERROR
        self._forget_output()
        self.site.parked.discard(self)
        self.site.reactor.discard(fd, self)
        self.site.deadlines.forget(self)
        self.session = None
        return fd

    def leave_if_idle(self, quiet_since: float) -> None:
        """Close, if the connection is between requests and nothing more has arrived.

        :param quiet_since: leave it open if it was active, or accepted, after this moment.
        """
        if self._reason is not None or self.busy or self._out or self.active_at > quiet_since:
            return
        # The plugin that paused it will read the rest: an extension that slows a client down, say.
        if (self._mask == EPOLLIN or (self._paused and not self.eof)) and self._has_input():
            return
        self._end(CloseReason.DRAIN)

    def break_off_for_drain(self) -> None:
        """Close now: the drain deadline has passed."""
        self._break_off(CloseReason.DRAIN)

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        site = self.site
        due: tuple[float, TimeoutKind] | None = None
        if site.idle_timeout and not self._blocked_at:
            due = (self.active_at + site.idle_timeout, TimeoutKind.IDLE)
        if site.write_timeout and self._blocked_at:
            due = (self._blocked_at + site.write_timeout, TimeoutKind.WRITE)
        if self.read_deadline is not None and (due is None or self.read_deadline < due[0]):
            due = (self.read_deadline, TimeoutKind.READ)
        return due

    def on_deadline(self, kind: TimeoutKind) -> None:
        now = self.site.reactor.now
        if kind is TimeoutKind.READ:
            self.read_deadline = None
        elif kind is TimeoutKind.IDLE:
            self.active_at = now
        else:
            self._blocked_at = now
        on_timeout = self.site.on_timeout
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
        elif self._reads_left < 0 and not out:
            self.site.unsent.append(self)
        out.append(piece)
        if out.waiting > self.site.output_limit:
            self.site.owner.closing(self, None)
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
        site = self.site
        try:
            sent = write(self._fd, out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break_off(CloseReason.RESET)
            return
        self.bytes_out += sent
        site.bytes_out += sent
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
        site = self.site
        progress = False
        for _ in range(SENDS_PER_EVENT):
            if self.congested:
                self._was_congested = True
            if self._out:
                sent = self._send_piece()
                if not sent and self._out:
                    break
                progress = True
                self.bytes_out += sent
                site.bytes_out += sent
            if self._was_congested and self.buffered <= self._low and self._reason is None:
                self._was_congested = False
                if site.on_writable is not None:
                    # Not `_run`: this call sends what the hook sends, within its budget. On the list of the unsent,
                    # an endless producer with a greedy reader would have the worker to itself.
                    self._guard(site.on_writable)
            if not self._out:
                break
        if self._mask == _GONE:
            return
        was_blocked = self._blocked_at
        if not self._out and not self._was_congested:
            self._blocked_at = _NEVER
        elif progress or not was_blocked:
            self._blocked_at = site.reactor.now
        if was_blocked and progress:
            self.active_at = site.reactor.now
        self._watch()
        if site.write_timeout and self._blocked_at and not was_blocked:
            site.deadlines.watch(self)

    def _send_piece(self) -> int:
        """Send from the front of the output; 0 when the peer takes no more or is gone."""
        out = self._out
        if isinstance(out, bytes):
            out = self._out = Outbox(out)
        try:
            front = out.front()
            if isinstance(front, FileSegment):
                sent = front.send_to(self._fd)
            elif front:
                sent = write(self._fd, front)
            else:  # a layer has kept it to itself: the next chunk may bring something
                return 0
        except BlockingIOError:
            return 0
        except LayerError as error:
            assert self._layers is not None
            self._fail(self._layers, error)
            return 0
        except (OSError, EOFError):
            self._break_off(CloseReason.RESET)
            return 0
        out.advance(sent)
        if not out and self._layers is None:
            self._out = NOTHING
        return sent

    def _forget_output(self) -> None:
        if isinstance(self._out, bytes):
            self._out = NOTHING
            return
        self._out.clear()
        if self._layers is None:
            self._out = NOTHING

    # --- input

    def _recv_outside(self, limit: int) -> bytes:
        """Receive outside of an event, as tasks and timers do; what it meets (the end, a reset) is settled later."""
        if self._mask == _GONE:
            return b""
        if self._journal is not None:
            self._journal.wake()
            self.site.unsent.append(self)  # `flush` has it written where the connection stands then
        self._reads_left = 1
        try:
            data = self.recv(limit)
        finally:
            self._reads_left = NOT_SERVING
        if data:
            self.active_at = self.site.reactor.now
        if self.eof or self._reason is not None or (self._layers is not None and self._out):
            self.site.unsent.append(self)
        return data

    # --- layers

    def open_further(self) -> None:
        """Go on with the handshake; enter the listener's site when every layer is open. The first site's hook."""
        layers = self._layers
        assert layers is not None
        if not layers.is_open:
            self._read_wire(layers)
        if layers.is_open and self._reason is None and self.site.then is not None:
            self._enter(self.site.then, layers)
        elif layers.holds_input:  # the end, before it was open
            self.eof = True

    def _enter(self, site: Site, layers: Layers) -> None:
        self.site = site
        self.read_deadline = None
        if site.on_accept is not None:
            self._run(site.on_accept)
        if site.idle_timeout or self.read_deadline is not None:
            site.deadlines.watch(self)
        if layers.holds_input:
            self._serve_later(layers)

    def _read_wire(self, layers: Layers) -> None:
        try:
            data = read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._break_off(CloseReason.RESET)
            return
        self.bytes_in += len(data)
        self.site.bytes_in += len(data)
        try:
            layers.receive(data)
        except HOOK_ERRORS as error:
            self._fail(layers, LayerError(error))

    def _recv_layered(self, layers: Layers, limit: int) -> bytes:
        if not layers.holds_input and not layers.is_over:
            self._read_wire(layers)
        data = layers.take(limit) if limit > 0 else b""
        if layers.holds_input:
            self._serve_later(layers)
        self.eof = self.eof or layers.is_over
        return data

    def _serve_later(self, layers: Layers) -> None:
        """Have input that a layer holds served after the others had their turn: no event will announce it."""
        if not layers.queued:
            layers.queued = True
            self.site.unsent.append(self)

    def _serve_held(self, layers: Layers) -> None:
        layers.queued = False
        if self.site.then is not None:
            if self._reason is None:
                self._run(Connection.open_further)
        elif layers.holds_input and self._wants_input:
            self._reads_left = READS_PER_EVENT
            self.active_at = self.site.reactor.now
            self.site.on_readable(self)
            self._reads_left = NOT_SERVING
            if layers.holds_input:
                self._serve_later(layers)

    def _fail(self, layers: Layers, error: LayerError) -> None:
        """Close, once the last words of the layers were sent."""
        self.site.owner.closing(self, error)
        try:
            layers.fail()
        except HOOK_ERRORS:
            self.site.owner.failed(self)
            layers.clear()
        self._was_congested = False
        self._end(CloseReason.LAYER)

    def _finish(self, layers: Layers) -> bool:
        """Send the last words of the layers; False: they have not left yet."""
        if not layers.finished:
            try:
                layers.finish()
            except HOOK_ERRORS:
                self.site.owner.failed(self)
                layers.clear()
            if layers:
                self._flush_queue()
        return not layers

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
            # Nothing would be read, and nothing can be sent to a peer that has hung up.
            self._break_off(CloseReason.RESET)
            self._settle()
        elif mask & EPOLLHUP:
            self.site.reactor.remove(self._fd)
            self.site.parked.add(self)
            self._mask = _PARKED
        return False

    @property
    def _wants_input(self) -> bool:
        return not (self._paused or self.eof or self._reason is not None or self._was_congested)

    def _watch(self) -> None:
        """Watch for what can be served now."""
        if self._mask == _GONE:
            return
        reading = self._wants_input
        if reading and self._layers is not None and self._layers.holds_input:
            self._serve_later(self._layers)
        mask = (EPOLLIN if reading else 0) | (EPOLLOUT if self._blocked_at else 0)
        if mask == self._mask:
            return
        if self._mask != _PARKED:
            self.site.reactor.change(self._fd, mask)
        elif mask:
            try:
                self.site.reactor.add(self._fd, self, mask)
            except OSError as error:  # nothing would ever wake it
                self.site.owner.closing(self, error)
                self._break_off(CloseReason.ERROR)
                return
            self.site.parked.discard(self)
        else:
            return
        self._mask = mask

    def _has_input(self) -> bool:
        if self._layers is not None and self._layers.holds_input:
            return True
        poller = poll()
        poller.register(self._fd, POLLIN)
        return bool(poller.poll(0))

    def _run(self, hook: Callable[[Connection], object]) -> object:
        """Call a hook outside of `on_event`, and have what it did settled before the next poll."""
        result = self._guard(hook)
        if self._reads_left == NOT_SERVING and (self._out or self.eof or self._reason is not None):
            self.site.unsent.append(self)
        return result

    def _guard(self, hook: Callable[[Connection], object]) -> object:
        """Call a hook; the caller sends and settles. An exception costs this connection alone."""
        was_serving = self._reads_left
        self._reads_left = READS_PER_EVENT
        try:
            return hook(self)
        except HOOK_ERRORS:  # logged
            self._break_off(CloseReason.ERROR)
            self.site.owner.failed(self)
            return None
        finally:
            self._reads_left = was_serving

    # --- the end

    def _end(self, reason: CloseReason) -> None:
        """Accept no more output; close when the buffered output has left."""
        if self._reason is None:
            self._reason = reason
            if self._reads_left == NOT_SERVING:
                self.site.unsent.append(self)

    def _break_off(self, reason: CloseReason) -> None:
        """Close without sending the buffered output.

        Not at once: `on_close` must not run inside another hook of the same connection.
        """
        self._forget_output()
        self._blocked_at = _NEVER
        self._was_congested = False
        if self._reason is None:
            self._reason = reason
        if self._reads_left == NOT_SERVING:
            self.site.unsent.append(self)

    def _settle(self) -> None:
        """Act on the end of input and on close."""
        if self._mask == _GONE:
            return
        layers = self._layers
        if self._reason is None:
            if self._eof_due and not self._out and (layers is None or self._finish(layers)):
                self._eof_due = False
                shut_down(self._fd, SHUT_WR)
            if not self.eof:
                return
            if self.half_open:
                self._watch()
                return
            self._reason = CloseReason.EOF
        if self._out or (layers is not None and not self._finish(layers)):
            self._watch()
            return
        mask, self._mask = self._mask, _GONE
        if mask == _PARKED:
            self.site.parked.discard(self)
        else:
            self.site.reactor.remove(self._fd)
        self.site.owner.ended(self, self._fd, self._reason)
        self._fd = -1  # the number will soon be another's
