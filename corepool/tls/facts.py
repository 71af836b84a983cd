"""The facts of TLS in `conn.facts`. Imports no ssl: protocols use it for connections of all kinds."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping


class TlsFacts(TypedDict):
    """The facts of a connection with TLS, from `on_accept` on. Without TLS `conn.facts` has none of them."""

    tls_version: str
    """"TLSv1.3", or "TLSv1.2"."""
    tls_cipher: str
    """The name of the cipher suite, as OpenSSL has it: "TLS_AES_256_GCM_SHA384"."""
    tls_cipher_bits: int
    """Secret bits of the cipher."""
    tls_resumed: bool
    """Whether an earlier session was resumed, by a ticket."""
    alpn: str | None
    """The protocol that was chosen by ALPN, such as "http/1.1"."""
    sni: str | None
    """The server's name that the client has asked for; not known of a context with an SNI callback of its own."""
    client_certificate: ClientCertificate | None
    """The client's certificate, verified; None: it has sent none, or was not asked."""
    truncated: bool
    """Whether the peer has ended the connection without saying so within TLS (close_notify): an attacker may have cut
    it off. False until `conn.eof`."""


class ClientCertificate:
    """The certificate of a client. OpenSSL has verified it: it was issued by an authority of ours, and is valid."""

    verified = True

    def __init__(self, session: ssl.SSLObject) -> None:
        """Take nothing apart: each part is made when it is asked for."""
        self._session = session

    @cached_property
    def _parts(self) -> Mapping[str, object]:
        return self._session.getpeercert() or {}

    @property
    def subject(self) -> Name:
        """The subject: pairs of a field's long name and its value, as ("commonName", "Ann"), the most general first."""
        return _pairs(self._parts.get("subject"))

    @property
    def issuer(self) -> Name:
        """The issuer, likewise."""
        return _pairs(self._parts.get("issuer"))

    @property
    def serial(self) -> str:
        """The serial number, in upper-case hexadecimal digits."""
        return str(self._parts.get("serialNumber", ""))

    @property
    def subject_alt_names(self) -> Name:
        """The alternative names: pairs of a kind and a name, as ("DNS", "ann.example") or ("email", "a@b.example")."""
        found = self._parts.get("subjectAltName", ())
        assert isinstance(found, tuple)
        return tuple((str(kind), str(name)) for kind, name in found)

    @property
    def not_before(self) -> str:
        """The beginning of its validity, as OpenSSL writes it: "Nov  1 00:00:00 2026 GMT"."""
        return str(self._parts.get("notBefore", ""))

    @property
    def not_after(self) -> str:
        """The end of its validity, likewise."""
        return str(self._parts.get("notAfter", ""))

    @property
    def der(self) -> bytes:
        """The certificate itself, in DER."""
        return self._session.getpeercert(binary_form=True) or b""

    @property
    def pem(self) -> str:
        """The certificate itself, in PEM."""
        from ssl import DER_cert_to_PEM_cert  # noqa: PLC0415  # see above

        return DER_cert_to_PEM_cert(self.der)


Name = tuple[tuple[str, str], ...]
"""Pairs of a kind and a value."""


def facts_of(session: ssl.SSLObject, *, sni: str | None, is_truncated: bool) -> TlsFacts:
    """Return the facts of a session whose handshake is over."""
    name, _, bits = session.cipher() or ("", "", 0)
    return {
        "tls_version": session.version() or "",
        "tls_cipher": name,
        "tls_cipher_bits": bits,
        "tls_resumed": bool(session.session_reused),
        "alpn": session.selected_alpn_protocol(),
        "sni": sni,
        "client_certificate": ClientCertificate(session) if _has_certificate(session) else None,
        "truncated": is_truncated,
    }


def _has_certificate(session: ssl.SSLObject) -> bool:
    """Ask only where a certificate may be: to find none takes as long."""
    return session.context.verify_mode != 0 and session.getpeercert(binary_form=True) is not None


def _pairs(found: object) -> Name:
    """Join the sets of a distinguished name, each of which has mostly one pair."""
    if not isinstance(found, tuple):
        return ()
    return tuple((str(key), str(value)) for several in found for key, value in several)
