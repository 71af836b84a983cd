"""A connection as asyncio's protocols know it: asyncio.Transport over corepool.Connection.

Two differences to asyncio's own remain. Output leaves when the loop's turn is over, not in `write` itself. And while
more of it is buffered than the high-water mark, nothing is read: that is the pool's back-pressure.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from asyncio.constants import _SendfileMode
from asyncio.transports import _FlowControlMixin
from asyncio.trsock import TransportSocket
from typing import TYPE_CHECKING, Any

from corepool import CloseReason
from corepool_hosting.encryption import drop_clear_text, tls_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import Context

    from corepool import Address, Connection

_ENDS = frozenset({CloseReason.EOF, CloseReason.CLOSED, CloseReason.DRAIN, CloseReason.ABORTED, CloseReason.REFUSED})
"""Ends for which connection_lost gets no exception: as in asyncio, those that the client or the protocol asked for."""

_HIGH_WATER = 64 * 1024  # asyncio's own default
_MAX_RECV_BYTES = 256 * 1024  # asyncio's own number of bytes for one recv


class ConnectionTransport(_FlowControlMixin):
    """The transport for connection_made. Nothing of the base class is used: loop.sendfile asks for it."""

    _start_tls_compatible = True  # what loop.start_tls asks for: STARTTLS is a matter of the application's protocol
    _sendfile_compatible = _SendfileMode.FALLBACK  # loop.sendfile reads and writes, as for TLS

    def __init__(
        self,
        conn: Connection[ConnectionTransport],
        loop: asyncio.AbstractEventLoop,
        protocol: asyncio.BaseProtocol,
        context: Context,
    ) -> None:
        """Wrap a connection.

        :param context: the context in which its protocol is called.
        """
        self._conn = conn
        self._loop = loop
        self._context = context
        self._protocol: Any
        self._buffered: asyncio.BufferedProtocol | None
        self._hand_over_to(protocol)
        # Now: a protocol may well ask for them after the connection is gone.
        self._facts = {"peername": spell(conn.peer), "sockname": spell(conn.local)}
        self._high, self._low = _HIGH_WATER, _HIGH_WATER // 4
        conn.watermarks(self._high, self._low)
        self._is_paused = False
        self._protocol_paused = False
        self._has_ended_output = False
        self._socket: socket.socket | None = None
        self._error: BaseException | None = None
        self._wrote_at = loop.time()

    # --- what the plugin calls

    def receive(self) -> None:
        """Pass the bytes that have arrived to the protocol."""
        conn = self._conn
        if self._is_paused:  # and resumed by an extension, which had paused it, too
            conn.pause()
            return
        try:
            if self._buffered is None:
                data = conn.recv(_MAX_RECV_BYTES)
                if data:
                    self._context.run(self._protocol.data_received, data)
                    return
            elif self._context.run(self._fill, self._buffered):
                return
            if conn.eof and not conn.closed and not self._context.run(self._protocol.eof_received):
                conn.close()
        except BaseException as error:
            self._error = error  # for connection_lost
            raise

    def resume_writing(self) -> None:
        """Call the protocol's resume_writing, if it was paused: the peer has read."""
        if self._protocol_paused:
            self._protocol_paused = False
            self._steer("resume_writing", lambda: self._context.run(self._protocol.resume_writing))

    def lost(self, reason: CloseReason) -> None:
        """Schedule the protocol's connection_lost, in a turn of its own, as asyncio does."""
        if self._socket is not None:
            self._socket.detach()  # the descriptor is the core's to close
        error = self._error
        if error is None and reason not in _ENDS:
            error = _error_of(reason)
        self._loop.call_soon(self._protocol.connection_lost, error, context=self._context)

    def idle_s(self) -> float:
        """Return the seconds since bytes last came or were written."""
        return min(self._conn.idle_s, self._loop.time() - self._wrote_at)

    # --- asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Know "peername" and "sockname", as asyncio's sockets spell them, and "socket", for its options.

        And of a listener that speaks TLS "ssl_object", "sslcontext", "cipher", "compression" and "peercert".
        """
        if name == "socket":
            return self._borrow_socket() or default
        if name in self._facts:
            return self._facts[name]
        found = tls_info(self._conn.facts, name)
        return default if found is None else found

    def is_closing(self) -> bool:
        """Return whether writes are dropped from now on."""
        return self._conn.closed

    def close(self) -> None:
        """Send buffered output, then close."""
        self._conn.close()

    def abort(self) -> None:
        """Close at once."""
        self._conn.abort()

    def _force_close(self, exc: Exception | None) -> None:
        """Close for an error: asyncio's TLS over a transport does so."""
        self._error = self._error or exc
        self._conn.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol go on."""
        drop_clear_text(self._protocol, protocol)
        self._hand_over_to(protocol)

    def _hand_over_to(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._buffered = protocol if isinstance(protocol, asyncio.BufferedProtocol) else None

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_reading(self) -> bool:
        """Return whether data_received may be called."""
        return not (self._is_paused or self._conn.closed)

    def pause_reading(self) -> None:
        """Let the peer wait."""
        if not self._is_paused:
            self._is_paused = True
            self._conn.pause()

    def resume_reading(self) -> None:
        """Read again."""
        if self._is_paused:
            self._is_paused = False
            self._conn.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set above how many bytes pause_writing is called, and at how many resume_writing."""
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        self._conn.watermarks(high, low)
        if self._protocol_paused and not self._conn.congested:
            # The connection has not reached its old limit yet, or never will: it would not say so.
            self._protocol_paused = False
            self._steer("resume_writing", self._protocol.resume_writing)
        self._see_whether_peer_reads()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return (low, high)."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """Return the number of buffered bytes."""
        return self._conn.buffered

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._has_ended_output:
            raise RuntimeError("Cannot call write() after write_eof()")
        conn = self._conn
        conn.send(data)
        self._wrote_at = self._loop.time()
        if conn.congested:
            self._see_whether_peer_reads()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def write_eof(self) -> None:
        """End this side once all written bytes have left."""
        if not self._has_ended_output:
            self._has_ended_output = True
            self._conn.send_eof()

    def _fill(self, protocol: asyncio.BufferedProtocol) -> bool:
        buffer = memoryview(protocol.get_buffer(-1)).cast("B")
        if not buffer:
            raise RuntimeError("get_buffer() returned an empty buffer")
        data = self._conn.recv(len(buffer))
        if not data:
            return False
        buffer[: len(data)] = data
        protocol.buffer_updated(len(data))
        return True

    def _see_whether_peer_reads(self) -> None:
        if self._conn.congested and not self._protocol_paused and not self._conn.closed:
            self._protocol_paused = True
            self._steer("pause_writing", self._protocol.pause_writing)

    def _steer(self, name: str, call: Callable[[], object]) -> None:
        """Pause or resume the protocol; if it fails, that is logged, and the connection goes on, as in asyncio."""
        try:
            call()
        except BaseException as error:  # noqa: BLE001  # in asyncio SystemExit ends the program; here it ends no worker
            self._loop.call_exception_handler(
                {"message": f"protocol.{name}() failed", "exception": error, "transport": self}
            )

    def _borrow_socket(self) -> TransportSocket | None:
        if self._socket is None:
            fd = self._conn.fileno()
            if fd < 0:
                return None
            self._socket = socket.socket(fileno=fd)  # owns nothing: `lost` detaches it
        return TransportSocket(self._socket)


def spell(address: Address) -> tuple[Any, ...] | str:
    """Write an address as Python's sockets do."""
    host, port = address
    if port is None:
        return "" if host == "unix" else host  # a client over a UNIX socket that has no name, as most
    return (host, port, 0, 0) if ":" in host else (host, port)


def _error_of(reason: CloseReason) -> OSError:
    match reason:
        case CloseReason.RESET:
            return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
        case CloseReason.TIMEOUT:
            return TimeoutError(errno.ETIMEDOUT, "a time-out of the listener has passed")
        case _:
            return ConnectionAbortedError(errno.ECONNABORTED, f"the connection was ended: {reason}")
