"""The master's copies of connections that are to outlive a crash of their workers.

Invariant: a crash slot is free, or belongs to one connection: that of a handoff in transit, which owns the descriptor,
or that of a copy kept here. The owner that lets the connection go frees its crash slot.
"""

from __future__ import annotations

import fcntl
import logging
import resource
import socket
import struct
import termios
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.hot.proxy_protocol import parse
from corepool.ipc.crash_slots import CRASH_SLOTS, Status
from corepool.ipc.frozen import Frozen, header_of, lost, restamped
from corepool.master import events
from corepool.master.borrowing import borrowed, peer_of
from corepool.master.ledger import Handoff
from corepool.spec.types import Address

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.ipc.crash_slots import CrashSlots
    from corepool.ipc.shapes import SocketIndex
    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)

_SWEEP_S = 0.1
"""How often the copies of connections that workers have closed are closed here. Their peers know it already."""

_SWEEP_AFTER = 64
"""Connections after which that is due as well: while the kernel's memory of them is still in the caches, and is used
again for the next ones. A connection costs 1 us less than with the timer alone, and fewer descriptors are held."""

# Plain numbers: looking up a member of an enumeration takes longer than storing it.
_FREE, _BUSY = int(Status.FREE), int(Status.BUSY)

_RESERVED_DESCRIPTORS = 512
"""Descriptors that the master needs besides: workers, listeners, connections in transit."""

_MAX_CRASHES = 2
"""A connection that was busy in this many crashes has caused them."""

_BYTES_ACKED_AT = 120
"""Of struct tcp_info (linux/tcp.h): tcpi_bytes_acked, u64; Linux 4.1."""


class _Copy:
    __slots__ = ("fd", "pid", "socket")

    def __init__(self, fd: int, socket: SocketIndex, pid: int) -> None:
        self.fd, self.socket, self.pid = fd, socket, pid


class Recovery:
    """Keeps them, and finds out what a crash has left."""

    def __init__(self, crash_slots: CrashSlots, loop: Loop, count: Callable[[str], None]) -> None:
        """Keep none yet.

        :param count: given the name of a counter for each connection that was recovered.
        """
        self._crash_slots = crash_slots
        self._loop = loop
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = (
            CRASH_SLOTS - 1
            if soft == resource.RLIM_INFINITY
            else min(CRASH_SLOTS - 1, max(0, soft - _RESERVED_DESCRIPTORS))
        )
        self._free = list(range(most, 0, -1))
        self._highest = 0
        """The highest crash slot that was ever taken: those above need not be looked at."""
        self._unswept = 0
        """Crash slots taken since the last sweep."""
        self._copies: dict[int, _Copy] = {}
        self._crashes: dict[int, int] = {}
        self._sweeping: Timer | None = None
        self._count = count

    def take(self) -> int:
        """Return a crash slot for a connection about to be handed over; 0: none is free, and it can't be kept."""
        if self._unswept >= _SWEEP_AFTER or not self._free:
            self.sweep()
        if not self._free:
            return 0
        crash_slot = self._free.pop()
        self._highest = max(self._highest, crash_slot)
        self._unswept += 1
        self._crash_slots.clear(crash_slot)
        self._crash_slots.statuses[crash_slot] = _BUSY
        return crash_slot

    def admit(self, handoff: Handoff) -> Handoff:
        """Assign a crash slot to a connection that has none, if one is free.

        What a connection that was not kept has sent was not counted: it is found out, and counted on from there.
        """
        record = handoff.frozen
        if record is not None:
            try:
                record = Frozen.decode(record)._replace(bytes_out=_sent_bytes(handoff.fd) or 0).encode()
            except ValueError:
                return handoff  # the worker that gets it says so, and closes it
        return handoff.at(self.take(), record)

    def keep(self, handoff: Handoff, pid: int) -> None:
        """Own the descriptor of a connection that worker `pid` has taken."""
        self._copies[handoff.crash_slot] = _Copy(handoff.fd, handoff.socket, pid)
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(_SWEEP_S, self._on_timer)

    def let_go(self, crash_slot: int, pid: int) -> bool:
        """Close the copy of a connection that comes back from its worker; its crash slot stays its own.

        :returns: False: the crash slot is not that of a connection which worker `pid` has.
        """
        copy = self._copies.get(crash_slot)
        if copy is None or copy.pid != pid:
            return not crash_slot
        del self._copies[crash_slot]
        release(copy.fd)
        self._crash_slots.statuses[crash_slot] = Status.BUSY
        return True

    def free(self, crash_slot: int) -> None:
        """Take back the crash slot of a connection that is gone. 0 is none."""
        if crash_slot:
            if self._crashes:
                self._crashes.pop(crash_slot, None)
            self._crash_slots.statuses[crash_slot] = _FREE
            self._free.append(crash_slot)

    def sweep(self) -> None:
        """Close what workers have closed."""
        self._unswept = 0
        for crash_slot in self._crash_slots.closed(self._highest):
            copy = self._copies.pop(crash_slot, None)
            if copy is not None:  # else it is on its way: the ledger will hear of it
                release(copy.fd)
                self.free(crash_slot)

    def recover(self, pid: int) -> list[Handoff]:
        """Return the connections of a worker that has ended and that others serve on, or send an error and close."""
        self.sweep()
        left = [(crash_slot, copy) for crash_slot, copy in self._copies.items() if copy.pid == pid]
        return [handoff for crash_slot, copy in left if (handoff := self._recover(crash_slot, copy)) is not None]

    def close(self) -> None:
        """Close every copy. Idempotent."""
        for copy in self._copies.values():
            release(copy.fd)
        self._copies.clear()
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _recover(self, crash_slot: int, copy: _Copy) -> Handoff | None:
        del self._copies[crash_slot]
        status = self._crash_slots.statuses[crash_slot]
        sent = _sent_bytes(copy.fd) if status in (Status.SENDING, Status.IDLE) else None
        if status == Status.SENDING:
            status = self._after_sending(crash_slot, sent)
        self._crash_slots.statuses[crash_slot] = Status.BUSY
        if status == Status.IDLE:
            self._count("survived")
            record = restamped(self._crash_slots.read(crash_slot), self._loop.time(), sent or 0)
            return Handoff(copy.fd, copy.socket, None, record, 0, crash_slot)
        if status == Status.BUSY:
            record = self._crash_slots.read(crash_slot)
            self._crashes[crash_slot] = self._crashes.get(crash_slot, 0) + 1
            if self._crashes[crash_slot] < _MAX_CRASHES:
                self._count("interrupted")
                return Handoff(copy.fd, copy.socket, None, lost(record), 0, crash_slot)
            events.crashing_connection_closed(log, peer=_client(copy.fd, header_of(record)), crashes=_MAX_CRASHES)
        release(copy.fd)
        self.free(crash_slot)
        return None

    def _after_sending(self, crash_slot: int, sent: int | None) -> Status:
        """Return whether a reply that was about to leave has left."""
        before, length = self._crash_slots.announced(crash_slot)
        if sent is None or sent == before:
            # Where that is unknown (a UNIX socket), an error behind a whole reply is better than silence in the place
            # of one.
            return Status.BUSY
        return Status.IDLE if sent == before + length else Status.SPEAKING

    def _on_timer(self) -> None:
        self._sweeping = None
        self.sweep()
        if self._copies:
            self._sweeping = self._loop.call_later(_SWEEP_S, self._on_timer)


def _client(fd: int, header: bytes) -> Address:
    """Return the address of a connection's client, as its PROXY header has it, if there is one."""
    try:
        told = parse(header).peer if header else None
    except ValueError:  # its worker has died writing it
        told = None
    return told or Address.of_sockaddr(peer_of(fd))


def _sent_bytes(fd: int) -> int | None:
    """Count the bytes that were given to a TCP socket since it was accepted; None: it is not one, or the kernel is old.

    What the peer has acknowledged, and what the send queue holds: tcp_info and SIOCOUTQ, tcp(7).
    """
    try:
        with borrowed(fd) as sock:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        (acked,) = struct.unpack_from("=Q", info, _BYTES_ACKED_AT)
        (queued,) = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)))
    except (OSError, struct.error):
        return None
    return int(acked + queued)
