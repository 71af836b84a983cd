"""A connection that is to outlive a crash of its worker: it tells where it stands, in shared memory, at every step.

A class of its own, since that costs each request some stores and a question to the protocol. The rule: busy before the
first byte of a request is read, idle after the last one of its reply has left; and before a reply that goes in one
piece it is told how long it is, so that whoever comes after a crash can find out whether it has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.ipc.berths import MOST_IN_ONE_GO, Status
from corepool.worker.counted import CountedConnection

if TYPE_CHECKING:
    from corepool.ipc.frozen import Frozen
    from corepool.worker.service import Service
    from corepool.worker.wire import Handle

# Plain numbers: looking up a member of an enumeration takes longer than storing it.
_BUSY, _IDLE, _SENDING, _SPEAKING = (
    int(status) for status in (Status.BUSY, Status.IDLE, Status.SENDING, Status.SPEAKING)
)


class KeptConnection(CountedConnection):
    """A Connection with a berth."""

    __slots__ = ("_berth", "_berths", "_published", "_statuses")

    def __init__(self, service: Service, handle: Handle, fd: int, number: int, berth: int) -> None:
        super().__init__(service, handle, fd, number)
        self._berth = berth
        self._berths = service.berths
        self._statuses = service.berths.statuses
        self._published: object = None

    @property
    def berth(self) -> int:
        return self._berth

    def begin(self) -> None:
        super().begin()
        self._note()

    def thaw(self, frozen: Frozen) -> None:
        super().thaw(frozen)
        self._note()

    def on_event(self, mask: int) -> None:
        statuses, berth = self._statuses, self._berth
        if statuses[berth] == _IDLE:
            statuses[berth] = _BUSY
        super().on_event(mask)
        self._note()

    def flush(self) -> None:
        super().flush()
        self._note()

    def _flush(self) -> None:
        statuses, berth, out = self._statuses, self._berth, self._out
        if statuses[berth] != _SPEAKING:
            if (
                type(out) is bytes
                and self._queue is None
                and len(out) <= MOST_IN_ONE_GO
                and not (self.busy or self.closed or self.eof)
                and self._publish()
            ):
                self._berths.announce(berth, self._given - len(out), len(out))
                statuses[berth] = _SENDING
            else:
                statuses[berth] = _SPEAKING
        super()._flush()

    def _note(self) -> None:
        """Say where it stands, now that something was done."""
        if self.is_idle:
            statuses, berth = self._statuses, self._berth
            if statuses[berth] == _SENDING or self._publish():
                statuses[berth] = _IDLE
        elif self._out and self._statuses[self._berth] == _SENDING:
            self._statuses[self._berth] = _SPEAKING

    def _publish(self) -> bool:
        """Write what another worker has to know, if it has changed; False: it can't be told now."""
        told = self._service.ask(self)
        if told is None:
            return False
        if told != self._published:
            frozen = self.freeze()
            if frozen is None or not self._berths.write(self._berth, frozen.encode()):
                return False
            self._published = told
        return True
