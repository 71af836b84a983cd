"""keep_on_crash: where a connection stands, written to shared memory at every step, so that it outlives its worker.

The rule: busy before the first byte of a request is read, idle after the last one of its reply has left. The length of
a reply that goes in one piece is written down beforehand, so that after a crash the master finds out from the kernel
whether the reply has left.

A connection with a crash slot has a journal and calls its four methods; any other has None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.ipc.crash_slots import LENGTH_BITS, MAX_ANNOUNCED, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.hot.site import Held
    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.frozen import Frozen
    from corepool.spec.proxy_header import ProxyHeader

# Plain numbers: looking up a member of an enumeration takes longer than storing it.
_BUSY, _IDLE, _SENDING, _SPEAKING = (
    int(status) for status in (Status.BUSY, Status.IDLE, Status.SENDING, Status.SPEAKING)
)

_NOTHING = object()
"""Of a journal that has no state written yet; None is the answer of plugins whose connection can't move now."""


class CrashRecords:
    """The records of one service: the state that another worker needs to go on with a connection.

    The rest of a record is brought up to date when it is needed, so connections in the same state share one.
    """

    def __init__(
        self,
        slots: CrashSlots,
        ask: Callable[[Held], object],
        freeze: Callable[[Held], Frozen | None],
        failed: Callable[[Held], None],
    ) -> None:
        """Write to `slots`.

        :param ask: returns the state of the plugins of a connection, fit to be compared; None: it can't move now.
        :param freeze: returns a whole record.
        :param failed: logs the exception of a hook that is being handled.
        """
        self.ask = ask
        self.statuses, self.sending = slots.statuses, slots.sending
        self._slots = slots
        self._freeze = freeze
        self.failed = failed
        self._last: tuple[object, bool, ProxyHeader | None] | None = None
        self._last_record: bytes | None = None

    def write(self, conn: Held, crash_slot: int, state: object) -> bool:
        """Write the record of a connection whose plugins are in `state`; False: it is too large."""
        record = self._record(conn, state)
        return record is not None and self._slots.write(crash_slot, record)

    def _record(self, conn: Held, state: object) -> bytes | None:
        key = state, conn.half_open, conn.header
        if key != self._last:
            frozen = self._freeze(conn)
            try:
                self._last_record = None if frozen is None else frozen.encode()
            except ValueError:  # too large
                self._last_record = None
            self._last = key
        return self._last_record


class Journal:
    """The journal of one connection. See the head of this file."""

    __slots__ = ("_length", "_published", "_records", "_status", "crash_slot")

    def __init__(self, records: CrashRecords, crash_slot: int) -> None:
        """Write to `crash_slot`, whose status is BUSY until something is noted."""
        self.crash_slot = crash_slot
        self._records = records
        self._length = 0
        self._published: object = _NOTHING
        self._status = _BUSY
        """The status in shared memory, to which no other process writes meanwhile: reading it there takes longer."""

    def wake(self) -> None:
        """Note that input may be read from now on."""
        if self._status == _IDLE:
            self._status = self._records.statuses[self.crash_slot] = _BUSY

    def sends(self, conn: Held, length: int) -> None:
        """Note that output is about to be sent.

        :param length: that of a whole reply, after which nothing is unfinished; 0: this is a part of one.
        """
        slot = self.crash_slot
        if not 0 < length <= MAX_ANNOUNCED or self._status == _SPEAKING:
            self._status = self._records.statuses[slot] = _SPEAKING
            return
        try:
            # Asked here first: nearly always it is the state that is written, and this saves each reply a call.
            is_written = self._records.ask(conn) == self._published
        except HOOK_ERRORS:
            is_written = False  # `_publish` meets and logs the error
        if not (is_written or self._publish(conn)):
            self._status = self._records.statuses[slot] = _SPEAKING
            return
        self._length = length
        self._records.sending[slot] = conn.bytes_out << LENGTH_BITS | length
        self._status = self._records.statuses[slot] = _SENDING

    def sent(self, count: int) -> None:
        """Note how much of what `sends` was called with has left."""
        if self._status == _SENDING:
            self._status = self._records.statuses[self.crash_slot] = _IDLE if count == self._length else _SPEAKING

    def rest(self, conn: Held) -> None:
        """Note that an event is over: if nothing is unfinished, the connection could go on in another worker."""
        if self._status != _IDLE and conn.is_idle and self._publish(conn):
            self._status = self._records.statuses[self.crash_slot] = _IDLE

    def _publish(self, conn: Held) -> bool:
        """Write the state of the plugins, if it has changed; False: the connection can't move now."""
        if conn.pinned:
            return False
        try:
            state = self._records.ask(conn)
        except HOOK_ERRORS:  # a hook's bug: this connection does not outlive a crash, and no other is concerned
            self._records.failed(conn)
            return False
        if state is None:
            return False
        if state != self._published:
            if not self._records.write(conn, self.crash_slot, state):
                return False
            self._published = state
        return True
