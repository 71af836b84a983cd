"""The contract between a protocol and one of its connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from _typeshed import FileDescriptorLike, ReadableBuffer
    from typing_extensions import TypeVar

    from corepool.spec.types import Address

    SessionT = TypeVar("SessionT", default=object)
else:
    from typing import TypeVar

    SessionT = TypeVar("SessionT")


class Connection(Protocol[SessionT]):
    """One accepted client socket, as hooks see it. Lives in a worker; used from its loop's thread only.

    No method blocks, and none raises for the network's reasons: a broken connection looks like one
    that has ended. `Connection[MySession]` types `session`.
    """

    session: SessionT
    """The protocol's own state of this connection; None until `on_accept` sets it, and after `on_close`."""

    half_open: bool
    """Keep the connection after the peer has ended its side; the protocol then closes it."""

    busy: bool
    """In the middle of a request: a draining worker waits for it."""

    pinned: bool
    """No other worker will ever be able to take over from here, as after an upgrade to another protocol, or to TLS."""

    @property
    def id(self) -> int:
        """A number no other connection of this worker has had."""

    @property
    def listener(self) -> str:
        """The name of the listener it came in by."""

    @property
    def protocol(self) -> str:
        """The name of the protocol that serves it; "" while its listener has several, and none is chosen yet."""

    @property
    def peer(self) -> Address:
        """The client's address, as its PROXY header has it, if there is one; Address("unknown") once it is gone."""

    @property
    def local(self) -> Address:
        """The address that the client connected to, likewise."""

    @property
    def facts(self) -> Mapping[str, object]:
        """What the layers of its transport know, such as the version of TLS, and its PROXY header: `Facts`."""

    @property
    def eof(self) -> bool:
        """True once the peer has ended its side and everything it sent was received."""

    @property
    def closed(self) -> bool:
        """True once `close` or `abort` was called or the connection broke: `send` does nothing then."""

    @property
    def buffered(self) -> int:
        """Bytes of output that the peer has not taken yet."""

    @property
    def idle_s(self) -> float:
        """Seconds since anything was last received or sent, in whichever worker; if nothing was, since it began."""

    @property
    def bytes_in(self) -> int:
        """Bytes received so far, in whichever worker."""

    @property
    def bytes_out(self) -> int:
        """Bytes sent so far: those that the kernel has taken."""

    @property
    def congested(self) -> bool:
        """True while more output is buffered than `output_high_water` of the listener, or `watermarks`, allows.

        A protocol that makes much output from little input should stop then, and go on in `on_writable`.
        """

    @property
    def write_timeout(self) -> float:
        """`write_timeout` of the listener, in seconds: the peer may take none of its output for as long; 0: for ever.

        For protocols whose clients can refuse to take a part of the output, as streams of HTTP/2.
        """

    def recv(self, limit: int = 65536) -> bytes:
        """Receive the bytes that have arrived.

        :param limit: bytes at most.
        :returns: the bytes; b"" when none are there now, the peer has ended (`eof` tells), or this event's
            budget of reads is used up (the loop comes back to this connection after the others).
        """

    def send(self, data: ReadableBuffer) -> None:
        """Send `data` after everything sent before.

        All that a hook sends leaves in one piece at its end; or, where several connections have input, when those were
        served or half a millisecond is over. `send_now` does not wait.

        Does nothing on a closed connection. Bytes that the peer doesn't take are buffered. Above the listener's
        `output_high_water` the connection is not read until the buffer has fallen to half of that;
        above `output_limit` the connection is aborted.

        :raises TypeError: `data` is not a bytes-like object; text has to be encoded.
        """

    def sendfile(self, file: FileDescriptorLike, offset: int, count: int) -> None:
        """Send `count` bytes of `file` from `offset`, after everything sent before, by sendfile(2).

        Ownership: the descriptor is duplicated; the caller may close `file`, or the bare descriptor, at once.
        A file that turns out shorter aborts the connection: the peer was promised more.
        """

    def send_now(self) -> None:
        """Hand buffered output to the kernel, as much as the peer takes, before the hook ends.

        For output whose next part may take its time. Calls no hook but `on_writable`.
        """

    def send_eof(self) -> None:
        """Send buffered output, then end this side; the peer may go on sending. Nothing may be sent after it.

        The protocol has to close the connection later, when the peer has ended its side, too.
        """

    def start_tls(self, context: ssl.SSLContext | None = None, *, received: bytes = b"") -> None:
        r"""Begin TLS on a connection that began in the clear (STARTTLS), as the server.

            if line == b"STARTTLS\r\n":
                conn.send(b"220 ready\r\n")
                conn.start_tls()

        Everything that was sent before leaves in the clear first. Whatever the peer has sent until then is dropped, and
        `recv` returns b"": an attacker in between could have put it there, to be taken for what the client sends within
        TLS (RFC 3207, 4.2; CVE-2011-0411). What `recv` had returned already is the protocol's own: it drops what stands
        behind the command, and forgets what the client has said of itself. What the peer sends later is its handshake.
        If the answer has left before, as by `send_now`, nothing is dropped: bytes in the clear are then taken for TLS,
        and the handshake fails.

        Until TLS is open only `on_close` and `on_drain` are called; output that is sent meanwhile leaves encrypted.
        Then `on_tls` is called, `facts` has the facts of TLS, and `recv` returns plaintext. The handshake may take
        10 s, after which `on_close` is called with "timeout"; if it fails, with "layer". An earlier `deadline` is
        forgotten. A connection that is paused waits, in the handshake as well. From now on the connection can't move to
        another worker, and it is closed if its worker crashes. Does nothing on a closed connection.

        :param context: with a certificate; it should be made once, in `on_worker_start`. None: with the certificates
            of the listener (`tls://HOST:PORT?cert=...&starttls=true`).
        :param received: bytes that were received in the clear and belong to TLS: for a protocol that has read on after
            its answer had left. Dropped if output is buffered.
        :raises RuntimeError: the connection is encrypted already, `send_eof` was called, or there is no certificate.
        """

    def watermarks(self, high: int, low: int) -> None:
        """Set this connection's own marks, in place of the listener's `output_high_water`.

        :param high: bytes of output above which it is `congested`; 0: while any is buffered.
        :param low: bytes at or below which `on_writable` is called after that.
        :raises ValueError: not 0 <= low <= high.
        """

    def fileno(self) -> int:
        """Return the descriptor, for getsockopt(2) and its like; -1 once the connection is gone.

        Only corepool may read from it, write to it or close it.
        """

    def close(self) -> None:
        """Send buffered output, then close."""

    def abort(self) -> None:
        """Close at once and drop buffered output."""

    def pause(self) -> None:
        """Stop `on_readable` until `resume`. Input waits in the kernel, and then at the peer."""

    def resume(self) -> None:
        """Undo `pause`."""

    def deadline(self, seconds: float | None) -> None:
        """Ask for `on_timeout(conn, "read")` in `seconds`, in place of any earlier deadline; None: no deadline."""
