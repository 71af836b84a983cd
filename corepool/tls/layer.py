"""The TLS layer of one connection, over `ssl.SSLObject` and two memory BIOs.

Each record costs few calls: the BIOs are made once, plaintext is read a record at a time, and OpenSSL is asked for more
only while it holds bytes of the wire. Asking it in vain raises SSLWantReadError, which costs more than the decryption
of a short record.

A memory BIO keeps the memory of the most bytes that it has ever held. So bytes go through it a piece at a time: an idle
connection that has sent a file, or received one, keeps two buffers of a record, not one of 64 KiB and one of 256 KiB.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, cast

from corepool.spec.layer import Layer, PeerError
from corepool.tls.facts import facts_of
from corepool.tls.failures import failure_of
from corepool.tls.hello import ALERT, begins_hello
from corepool.tls.plain_request import answer_to
from corepool.tls.records import Records
from corepool.tls.sessions import refused_name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_BYTES = 16_384
"""Plaintext of the longest record (RFC 8446, 5.1)."""

MAX_SILENT = 32
"""Records without plaintext, such as changes of keys, that a peer may send ahead of those with it. Each has 27 bytes
and costs 20 us. BoringSSL has the same number."""

_USUAL_BYTES = 128
"""Bytes of the wire beside the plaintext, up to which records are not counted."""

_HANDSHAKE = b"\x16"
"""The type of a client's first record (RFC 8446, 5.1)."""


class TlsLayer(Layer):
    """The server's side of TLS on a connection: see `Layer`. `corepool.spec.facts` describes its facts."""

    input_bytes = 65_536

    __slots__ = (
        "_first",
        "_has_ended",
        "_incoming",
        "_is_open",
        "_is_truncated",
        "_outgoing",
        "_read",
        "_records",
        "_session",
        "_silent",
        "_words",
        "_write",
        "opening_timeout",
    )

    def __init__(self, context: ssl.SSLContext, *, handshake_timeout: float = 10.0) -> None:
        """Begin TLS; nothing was received or sent yet.

        :param context: of a server, with a certificate.
        :param handshake_timeout: in seconds.
        :raises ssl.SSLError: the context is a client's.
        """
        self.opening_timeout = handshake_timeout
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        session = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._session = session
        self._read = session.read
        self._write = session.write
        self._first: bytes | None = b""
        """The client's first bytes, until OpenSSL may have them; None: it has."""
        self._words = b""
        """An answer without TLS."""
        self._records = Records()
        self._silent = 0
        """How many more records without plaintext have come than with it."""
        self._is_open = False
        self._has_ended = False
        self._is_truncated = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    @property
    def facts(self) -> Mapping[str, object]:
        return cast("Mapping[str, object]", facts_of(self._session, is_truncated=self._is_truncated))

    @property
    def session(self) -> ssl.SSLObject:
        """The session, of the context's `sslobject_class`."""
        return self._session

    # --- input

    def received(self, data: bytes | memoryview) -> bytes:
        size = len(data)
        if size > RECORD_BYTES:
            return self._received_much(memoryview(data))
        if not size:
            self._is_truncated = not self._has_ended
            return b""
        if self._is_open:
            self._incoming.write(data)
        elif self._opened_by(data):
            data = data[size - self._incoming.pending :]
        else:
            return b""
        plain = last = self._next()
        count = 1
        if plain and self._incoming.pending:
            pieces = [plain]
            while last and self._incoming.pending:
                last = self._next()
                pieces.append(last)
            plain = b"".join(pieces)
            count = len(pieces)
        if last and size - len(plain) < _USUAL_BYTES:
            self._records.align()
        else:
            self._count_silent(data, count if last else count - 1)
        return plain

    def _next(self) -> bytes:
        """Return the plaintext of the next record that has some; b"": it is not whole, or the peer has ended."""
        try:
            plain = self._read(RECORD_BYTES)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:  # when our side has ended, too
            plain = b""
        except ssl.SSLError as error:
            raise failure_of(error, is_open=True) from None
        if not plain:
            self._has_ended = True
        return plain

    def _count_silent(self, data: bytes | memoryview, with_plaintext: int) -> None:
        """Refuse a peer that sends many more records without plaintext than with it, such as changes of keys."""
        self._silent = max(0, self._silent + self._records.ended_in(data) - 2 * with_plaintext)
        if self._silent > MAX_SILENT and not self._has_ended:
            raise PeerError("other", f"more than {MAX_SILENT} records without data, such as KeyUpdate")

    def _received_much(self, data: memoryview) -> bytes:
        pieces = []
        for place in range(0, len(data), RECORD_BYTES):
            pieces.append(self.received(data[place : place + RECORD_BYTES]))
            if self._has_ended:  # nothing counts behind it
                break
        return b"".join(pieces)

    def _opened_by(self, data: bytes | memoryview) -> bool:
        """Go on with the handshake; True when it is over, and bytes of records have come behind it."""
        if self._first is not None:
            data = self._first + bytes(data)
            if not self._is_tls(data):
                return False
        self._incoming.write(data)
        self._shake_hands()
        return self._is_open and self._incoming.pending > 0

    def _is_tls(self, head: bytes) -> bool:
        """Return whether a client's first bytes begin a handshake; False: they are too few to know."""
        if head.startswith(_HANDSHAKE):
            try:
                is_known = begins_hello(head)
            except PeerError:
                self._words = ALERT
                raise
            self._first = None if is_known else head
            return is_known
        answer = answer_to(head)
        if answer is None:
            self._first = head
            return False
        self._words = answer
        if answer:
            raise PeerError("plain_http", "the client speaks HTTP without TLS")
        raise PeerError("not_tls", "the client does not speak TLS")

    def _shake_hands(self) -> None:
        try:
            self._session.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise failure_of(error, is_open=False, name=refused_name_of(self._session)) from None
        self._is_open = True

    # --- output

    def sent(self, data: bytes) -> bytes:
        try:
            if len(data) <= RECORD_BYTES:
                self._write(data)
                return self._outgoing.read()
            pieces = []
            rest = memoryview(data)
            while rest:
                self._write(rest[:RECORD_BYTES])
                pieces.append(self._outgoing.read())
                rest = rest[RECORD_BYTES:]
            return b"".join(pieces)
        except ssl.SSLWantReadError:  # OpenSSL lets nothing out in between
            raise PeerError("other", "the client has sent a part of a message of TLS, such as KeyUpdate") from None
        except ssl.SSLError as error:
            raise failure_of(error, is_open=True) from None

    def output(self) -> bytes:
        if self._words:
            words, self._words = self._words, b""
            return words
        return self._outgoing.read() if self._outgoing.pending else b""

    def finish(self) -> None:
        try:
            self._session.unwrap()
        except ssl.SSLError:  # it wants to read the peer's end, which may come later or never
            pass
