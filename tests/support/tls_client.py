"""The client's side of TLS, over memory BIOs, with the methods of a layer."""

from __future__ import annotations

import ssl

from certificates import client_context

from corepool import PeerError


class TlsClient:
    """A client of the standard library. Errors of the server are PeerErrors with OpenSSL's words."""

    def __init__(self, context: ssl.SSLContext | None = None, name: str = "localhost") -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = (context or client_context()).wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.is_open = False
        self.has_ended = False
        self.received(b"")

    def received(self, data: bytes) -> bytes:
        """Take bytes from the wire, and return the plaintext."""
        self._incoming.write(data)
        found = b""
        try:
            if not self.is_open:
                self._session.do_handshake()
                self.is_open = True
            while True:
                plain = self._session.read(16_384)
                if not plain:
                    break
                found += plain
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            raise PeerError("other", (error.reason or str(error)).lower()) from None
        return found

    def sent(self, data: bytes) -> bytes:
        """Return bytes for the wire."""
        self._session.write(data)
        return self._outgoing.read()

    def output(self) -> bytes:
        """Return the bytes of handshakes and alerts."""
        return self._outgoing.read()

    def finish(self) -> None:
        """End this side."""
        try:
            self._session.unwrap()
        except ssl.SSLError:
            pass
