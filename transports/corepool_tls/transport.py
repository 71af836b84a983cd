"""The transport: tcp's addresses, with a TLS layer for each connection.

The master reads the files, as root if it was started so, and makes the contexts before it forks. Later it looks for
files that have changed, and sends the new state to the running workers, which read no file.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from corepool.spec.transport import MAX_STATE_BYTES
from corepool.tls.layer import TlsLayer
from corepool_tcp import Tcp
from corepool_tls.contexts import Profile, make_context
from corepool_tls.options import TlsOptions, protocols_in, refuse_contradictions
from corepool_tls.reading import find, read_state, stamps_of
from corepool_tls.serving import FirstContext, Served, ServerSession
from corepool_tls.state import State

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from corepool import Address, Endpoint, Layer, ServerCertificate
    from corepool_tls.files import Stamp


class Tls(Tcp):
    """Listen on a TCP port, for clients that speak TLS."""

    Options = TlsOptions

    def __init__(self, options: TlsOptions) -> None:
        """Read nothing yet."""
        self._options = options
        self._offered: Sequence[str] = ()
        self._stamps: tuple[Stamp, ...] | None = None
        self._not_renewed: Sequence[str] = ()
        self._state: State | None = None
        self._first: FirstContext | None = None
        self._served: Served | None = None

    def check(self, endpoint: Endpoint) -> None:
        """Refuse an address as tcp does, and options that do not go together."""
        super().check(endpoint)
        refuse_contradictions(self._options)
        make_context(self._profile())

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Return the URL of the bound address and port, without the files."""
        return f"tls://{self.address(listening.getsockname()).authority}"

    def takes_over(self, endpoint: Endpoint, before: Endpoint) -> bool:  # noqa: ARG002
        """Take over any socket on the same address: the files and options are not the socket's."""
        return True

    def offer(self, alpn: Sequence[str]) -> None:
        """Take the names that the listener's protocols have in ALPN."""
        if tuple(alpn) != self._offered:
            self._offered = tuple(alpn)
            self._stamps = None  # the contexts have to be made again

    # --- files

    def refresh(self, endpoint: Endpoint) -> bytes | None:  # noqa: ARG002
        """Read the certificates, keys, authorities and lists, if any of them has changed."""
        options = self._options
        found = find(options)
        try:
            now = stamps_of(options, found)  # before they are read: a file that changes meanwhile is read again
        except OSError:
            now = None  # `read_state` says which file is missing, and whether that matters
        if now is not None and now == self._stamps:
            return None
        state, mistakes = read_state(options, found, self._state)
        self._not_renewed = mistakes
        if state == self._state and self._served is not None and self._served.profile == self._profile():
            self._stamps = None if mistakes else now
            return None
        encoded = state.encode()
        if len(encoded) > MAX_STATE_BYTES:
            raise ValueError(f"{len(encoded)} bytes of keys and certificates; at most {MAX_STATE_BYTES} are allowed")
        self._serve(state)
        self._stamps = None if mistakes else now
        return encoded

    def refreshed(self, state: bytes) -> None:
        """Serve new connections with the certificates that the master has read."""
        self._serve(State.decode(state))

    @property
    def not_renewed(self) -> Sequence[str]:
        """The mistakes in some pairs of a folder: those of before are served in their place."""
        return self._not_renewed

    def certificates(self) -> Sequence[ServerCertificate]:
        """Return the certificates of the last `refresh`."""
        return () if self._state is None else [description for description, _ in self._state.certificates]

    def _serve(self, state: State) -> None:
        profile = self._profile()
        if self._first is None:
            self._first = FirstContext(profile)
        self._served = Served(state, profile, is_strict=self._options.strict_sni, before=self._served)
        self._state = state

    def _profile(self) -> Profile:
        options = self._options
        client = ssl.CERT_NONE
        if options.client_ca is not None:
            client = ssl.CERT_OPTIONAL if options.client == "optional" else ssl.CERT_REQUIRED
        alpn = [each.decode() for each in protocols_in(options.alpn)] if options.alpn is not None else self._offered
        return Profile(options.minimum, options.ciphers, client, options.crl is not None, tuple(alpn))

    # --- connections

    @property
    def has_layers(self) -> bool:
        """True, unless connections begin in the clear."""
        return not self._options.starttls

    @property
    def takes_plain(self) -> bool:
        """As the URL says."""
        return self._options.plain

    def matches(self, data: bytes) -> bool | None:
        """Return whether a handshake of TLS begins here: its record, of a version 3.x (RFC 8446, 5.1)."""
        return data[:2] == b"\x16\x03" if len(data) > 1 or data != b"\x16" else None

    @property
    def encrypts(self) -> bool:
        """True, unless connections begin in the clear, or may."""
        return not (self._options.starttls or self._options.plain)

    def layers(self, peer: Address) -> Sequence[Layer]:
        """Make the TLS layer, with the certificates of this moment."""
        return () if self._options.starttls else self.tls_layers(peer)

    def tls_layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        """Make it for a protocol that begins TLS itself."""
        assert self._first is not None
        assert self._served is not None
        layer = TlsLayer(self._first.take(), handshake_timeout=self._options.handshake_timeout)
        session = layer.session
        assert isinstance(session, ServerSession)
        session.served = self._served
        return (layer,)
