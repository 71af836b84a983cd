"""A connection as asyncio's protocols know it: asyncio.Transport over corepool.Connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from corepool import CloseReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool import Address, Connection

_ENDS = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.ABORTED})
"""Ends that connection_lost is told of without an exception, as asyncio does it for those that somebody asked for."""


class ConnectionTransport(asyncio.Transport):
    """What connection_made is given.

    The high-water mark of writing is the listener's `output_high_water`: set_write_buffer_limits can only lower it.
    """

    def __init__(
        self, conn: Connection[ConnectionTransport], loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol
    ) -> None:
        super().__init__()
        self._conn = conn
        self._loop = loop
        self._protocol = protocol
        self._peer, self._local = conn.peer, conn.local
        self._high: int | None = None
        self._low: int | None = None
        self._is_paused = False
        self._is_writing_paused = False
        self._is_lost = False

    # --- what the plugin calls

    def receive(self) -> None:
        """Give the protocol what has arrived."""
        protocol = self._protocol
        data = self._conn.recv()
        if not data:
            if self._conn.eof:
                keep = protocol.eof_received() if isinstance(protocol, _RECEIVERS) else None
                if not keep:
                    self._conn.close()
            return
        if isinstance(protocol, asyncio.BufferedProtocol):
            self._fill(protocol, data)
        else:
            protocol.data_received(data)  # type: ignore[attr-defined]
        self._see_whether_peer_reads()

    def resume_writing(self) -> None:
        """Tell the protocol that the peer has read."""
        if self._is_writing_paused:
            self._is_writing_paused = False
            self._protocol.resume_writing()

    def lost(self, reason: CloseReason) -> None:
        """Tell the protocol of the end, in a turn of its own, as asyncio does."""
        self._is_lost = True
        error = None if reason in _ENDS else ConnectionResetError(f"the connection is gone: {reason}")
        if reason is CloseReason.TIMEOUT:
            error = TimeoutError("the connection was quiet for too long")  # type: ignore[assignment]
        self._loop.call_soon(self._protocol.connection_lost, error)

    # --- asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know "peername" and "sockname", as asyncio's sockets spell them."""
        if name == "peername":
            return _spell(self._peer)
        if name == "sockname":
            return _spell(self._local)
        return default

    def is_closing(self) -> bool:
        """Tell whether nothing more can be written."""
        return self._conn.closed

    def close(self) -> None:
        """Send what is buffered, then close."""
        self._conn.close()

    def abort(self) -> None:
        """Close at once."""
        self._conn.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol go on."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Give the protocol."""
        return self._protocol

    def is_reading(self) -> bool:
        """Tell whether data_received may be called."""
        return not (self._is_paused or self._conn.closed)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        self._is_paused = True
        self._conn.pause()

    def resume_reading(self) -> None:
        """Read again."""
        self._is_paused = False
        self._conn.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when pause_writing is called; above the listener's own mark it is the listener's."""
        if high is None:
            high = 65_536 if low is None else 4 * low
        self._high, self._low = high, high // 4 if low is None else low
        if not self._high >= self._low >= 0:
            raise ValueError(f"high ({self._high!r}) must be >= low ({self._low!r}) must be >= 0")
        self._see_whether_peer_reads()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give (low, high)."""
        return self._low or 0, self._high or 0

    def get_write_buffer_size(self) -> int:
        """Give the bytes that are buffered."""
        return self._conn.buffered

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._conn.send(data)
        self._see_whether_peer_reads()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Say no: a pool's connection is closed as a whole."""
        return False

    def write_eof(self) -> None:
        """Refuse.

        :raises NotImplementedError: always; `can_write_eof` tells.
        """
        raise NotImplementedError("this transport can't close one side: see can_write_eof()")

    def _fill(self, protocol: asyncio.BufferedProtocol, data: bytes) -> None:
        rest = memoryview(data)
        while rest and not self._conn.closed:
            buffer = memoryview(protocol.get_buffer(len(rest)))
            if not buffer:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = min(len(buffer), len(rest))
            buffer[:count] = rest[:count]
            rest = rest[count:]
            protocol.buffer_updated(count)

    def _see_whether_peer_reads(self) -> None:
        beyond = self._high is not None and self._conn.buffered > self._high
        if (beyond or self._conn.congested) and not self._is_writing_paused and not self._is_lost:
            self._is_writing_paused = True
            self._protocol.pause_writing()
            if not self._conn.congested:
                self._look_again()

    def _look_again(self) -> None:
        """See whether the peer has read, where only a protocol's own mark was passed: nobody else tells of that."""
        if self._is_lost or not self._is_writing_paused:
            return
        if self._conn.buffered <= (self._low or 0):
            self.resume_writing()
        else:
            self._loop.call_later(0.01, self._look_again)


_RECEIVERS = (asyncio.Protocol, asyncio.BufferedProtocol)


def _spell(address: Address) -> tuple[str, int] | str:
    return address.host if address.port is None else (address.host, address.port)
