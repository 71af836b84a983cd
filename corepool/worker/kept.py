"""A connection that is to outlive a crash of its worker: it tells where it stands, in shared memory, at every step.

A class of its own, since that costs each request some stores and a question to the protocol. The rule: busy before the
first byte of a request is read, idle after the last one of its reply has left; and the length of a reply that goes in
one piece is written down beforehand, so that after a crash it can be found out whether the reply has left.

`on_event` and `_flush` are those of `Connection` with this in between: calling them there cost half as much again.
"""

from __future__ import annotations

from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.outbox import Outbox
from corepool.ipc.crash_slots import LENGTH_BITS, MOST_IN_ONE_GO, Status
from corepool.spec.types import CloseReason
from corepool.worker.connection import NOT_SERVING, NOTHING, READS_PER_EVENT, Connection

if TYPE_CHECKING:
    from corepool.ipc.frozen import Frozen
    from corepool.worker.service import Service
    from corepool.worker.wire import Handle

# Plain numbers: looking up a member of an enumeration takes longer than storing it.
_BUSY, _IDLE, _SENDING, _SPEAKING = (
    int(status) for status in (Status.BUSY, Status.IDLE, Status.SENDING, Status.SPEAKING)
)


class KeptConnection(Connection):
    """A Connection with a crash_slot. Counts what it sends: that tells after a crash whether a reply has left."""

    __slots__ = ("_ask", "_crash_slot", "_published", "_sending", "_sent", "_statuses")

    def __init__(self, service: Service, handle: Handle, fd: int, number: int, crash_slot: int) -> None:
        super().__init__(service, handle, fd, number)
        self._crash_slot = crash_slot
        self._statuses = service.crash_slots.statuses
        self._sending = service.crash_slots.sending
        self._ask = service.ask
        self._sent = 0
        self._published: object = None

    @property
    def crash_slot(self) -> int:
        return self._crash_slot

    @property
    def bytes_out(self) -> int:
        return self._sent

    def begin(self) -> None:
        super().begin()
        self._note()

    def thaw(self, frozen: Frozen) -> None:
        self._sent = frozen.bytes_out
        self._statuses[self._crash_slot] = _BUSY  # it was idle on its way; a hook that kills its worker runs once
        super().thaw(frozen)
        self._note()

    def on_event(self, mask: int) -> None:
        statuses, crash_slot = self._statuses, self._crash_slot
        if statuses[crash_slot] == _IDLE:
            statuses[crash_slot] = _BUSY
        if mask != EPOLLIN and not self._serve_unusual(mask):
            self._note()
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
        if statuses[crash_slot] != _IDLE:
            self._note()

    def _recv_outside(self, limit: int) -> bytes:
        if self._statuses[self._crash_slot] == _IDLE:
            self._statuses[self._crash_slot] = _BUSY
        self._service.unsent.append(self)  # `flush` notes where it stands then
        return super()._recv_outside(limit)

    def flush(self) -> None:
        super().flush()
        self._note()

    def _flush(self) -> None:
        statuses, crash_slot, out = self._statuses, self._crash_slot, self._out
        service = self._service
        if statuses[crash_slot] == _SPEAKING or type(out) is not bytes or not self._is_whole_reply(out):
            statuses[crash_slot] = _SPEAKING
            self._flush_queue()
            return
        self._sending[crash_slot] = self._sent << LENGTH_BITS | len(out)
        statuses[crash_slot] = _SENDING
        try:
            sent = service.write(self._handle, out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break_off(CloseReason.RESET)
            return
        service.bytes_out += sent
        self._sent += sent
        if sent == len(out):
            self._out = NOTHING
            statuses[crash_slot] = _IDLE
        else:
            statuses[crash_slot] = _SPEAKING
            self._out = Outbox(memoryview(out)[sent:])
            self._flush_queue()

    def _is_whole_reply(self, out: bytes) -> bool:
        return (
            not self.busy
            and self._reason is None
            and not self.eof
            and len(out) <= self._high
            and len(out) <= MOST_IN_ONE_GO
            and self._publish()
        )

    def _send_piece(self) -> int:
        sent = super()._send_piece()
        self._sent += sent
        return sent

    def _note(self) -> None:
        """Say where it stands, now that something was done."""
        if self.is_idle and self._publish():
            self._statuses[self._crash_slot] = _IDLE

    def _publish(self) -> bool:
        """Write what another worker has to know, if it has changed; False: it can't be told now."""
        try:
            told = self._ask(self)
        except HOOK_ERRORS:  # a hook's bug: it is not kept, and costs nobody else
            self._service.failed(self)
            return False
        if told is None:
            return False
        if told != self._published:
            record = self._service.record_of(self, told)
            if record is None or not self._service.crash_slots.write(self._crash_slot, record):
                return False
            self._published = told
        return True


class CountedKeptConnection(KeptConnection):
    """One that also counts what it receives, for listeners with a plugin that reads the figures."""

    __slots__ = ("_received",)

    def __init__(self, service: Service, handle: Handle, fd: int, number: int, crash_slot: int) -> None:
        super().__init__(service, handle, fd, number, crash_slot)
        self._received = 0

    @property
    def bytes_in(self) -> int:
        return self._received

    def thaw(self, frozen: Frozen) -> None:
        self._received = frozen.bytes_in
        super().thaw(frozen)

    def recv(self, limit: int = 65536) -> bytes:
        data = super().recv(limit)
        self._received += len(data)
        return data
