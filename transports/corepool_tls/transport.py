"""The transport: tcp's addresses, with a TLS layer for each connection.

The master reads the files, as root if it was started so, and makes the contexts before it forks. Later it looks for
files that have changed, and sends the new state to the running workers, which read no file.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from corepool.tls.layer import TlsLayer
from corepool_tcp import Tcp
from corepool_tls.certificates import describe
from corepool_tls.contexts import Profile, make_context
from corepool_tls.files import Place, in_folder, read, read_secret, stamps
from corepool_tls.options import TlsOptions, protocols_in, refuse_contradictions
from corepool_tls.serving import FirstContext, Served, ServerSession
from corepool_tls.state import Material, State, Trust, refuse_claimed_twice

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from corepool import Address, Endpoint, Layer, ServerCertificate
    from corepool_tls.files import Stamp


class Tls(Tcp):
    """Listen on a TCP port, for clients that speak TLS."""

    Options = TlsOptions

    def __init__(self, options: TlsOptions) -> None:
        """Read nothing yet."""
        self._options = options
        self._offered: Sequence[str] = ()
        self._stamps: tuple[Stamp, ...] = ()
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
            self._stamps = ()  # the contexts have to be made again

    # --- files

    def refresh(self, endpoint: Endpoint) -> bytes | None:  # noqa: ARG002
        """Read the certificates, keys, authorities and lists, if any of them has changed."""
        options = self._options
        places = self._places()
        others = [each for each in (options.client_ca, options.crl, options.password_file) if each is not None]
        # Before they are read: a file that changes meanwhile is read again the next time.
        now = tuple(stamps(dict.fromkeys([*(path for place in places for path in place), *others])))
        if now == self._stamps:
            return None
        state = self._read(places)
        self._serve(state)
        self._stamps = now
        return state.encode()

    def refreshed(self, state: bytes) -> None:
        """Serve new connections with the certificates that the master has read."""
        self._serve(State.decode(state))

    def certificates(self) -> Sequence[ServerCertificate]:
        """Return the certificates of the last `refresh`."""
        return () if self._state is None else [description for description, _ in self._state.certificates]

    def _places(self) -> list[Place]:
        """Return where the certificates are, the default first."""
        options = self._options
        if options.certs is None:
            assert options.cert is not None
            return [Place(options.cert, options.key or options.cert)]
        places = in_folder(options.certs)
        if options.default is None:
            return places
        first = [place for place in places if place.name == options.default]
        if not first:
            names = ", ".join(place.name for place in places[:_NAMES_SHOWN])
            raise ValueError(f"default: {options.certs} has no certificate {options.default!r}; it has {names}")
        return first + [place for place in places if place.name != options.default]

    def _read(self, places: Sequence[Place]) -> State:
        options = self._options
        password = None
        if options.password_file is not None:
            password = _text(read_secret(options.password_file), options.password_file).partition("\n")[0].rstrip("\r")
        known = {} if self._state is None else {material: it for it, material in self._state.certificates}
        certificates = []
        for place in places:
            key = _text(read_secret(place.key), place.key)
            chain = key if place.certificate == place.key else _text(read(place.certificate), place.certificate)
            material = Material(str(place.certificate), str(place.key), chain, key, password)
            certificates.append((known.get(material) or describe(material), material))
        trust = Trust(*(_text(read(path), path) if path else "" for path in (options.client_ca, options.crl)))
        state = State(tuple(certificates), trust)
        refuse_claimed_twice(state)
        return state

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


_NAMES_SHOWN = 10


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not in PEM (text that begins with -----BEGIN); DER has to be converted") from None
