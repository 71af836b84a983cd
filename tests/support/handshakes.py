"""Handshakes with a tls listener, in memory."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from certificates import client_context

from corepool import Address, Endpoint
from corepool.tls.layer import TlsLayer
from corepool_tls import Tls

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = Endpoint.parse("tls://127.0.0.1:0")


class Client:
    """A client of the standard library, over memory BIOs."""

    def __init__(self, name: str | None = "localhost", context: ssl.SSLContext | None = None) -> None:
        self.context = context or client_context()
        self.context.check_hostname = name is not None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session: ssl.SSLSession | None = None
        self.name = name

    def hello(self) -> bytes:
        """Return the first message."""
        this = self.context.wrap_bio(self._incoming, self._outgoing, server_hostname=self.name)
        try:
            this.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()

    def shake_hands(self, server: TlsLayer) -> Mapping[str, object]:
        """Shake hands, and receive a line, with which tickets come; return the server's facts."""
        this = self.context.wrap_bio(self._incoming, self._outgoing, server_hostname=self.name, session=self.session)
        while not server.is_open:
            try:
                this.do_handshake()
            except ssl.SSLWantReadError:
                pass
            server.received(self._outgoing.read())
            self._incoming.write(server.output())
        self._incoming.write(server.sent(b"hello"))
        assert this.read() == b"hello"
        self.session = this.session
        self.chosen = this.selected_alpn_protocol()
        return server.facts


def made(**options: object) -> Tls:
    """Return a transport that has read its files."""
    tls = Tls(Tls.Options.model_validate(options))
    tls.refresh(ENDPOINT)
    return tls


def layer_of(tls: Tls) -> TlsLayer:
    """Return the layer of a new connection."""
    (layer,) = tls.layers(Address("memory"))
    assert isinstance(layer, TlsLayer)
    return layer
