"""The facts about a connection beside its addresses, by their names in `conn.facts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    import ssl

    from corepool.spec.certificates import ClientCertificate
    from corepool.spec.proxy_header import ProxyHeader


class Facts(TypedDict, total=False):
    """What layers and PROXY headers put into `conn.facts`, where they know it; layers may add others."""

    proxy: ProxyHeader
    """The header with which a proxy of `accept_proxy` has begun the connection. Where TLS is a fact as well, that is
    behind the header: with the client, if the proxy passes its bytes on, or with the proxy."""

    tls: str
    """The version of TLS, as OpenSSL spells it: `TLSv1.3`. Its presence means that the connection is encrypted."""
    cipher: str
    """OpenSSL's name of the cipher suite, such as `TLS_AES_128_GCM_SHA256`."""
    cipher_bits: int
    """The bits of the cipher's key."""
    cipher_suite: int
    """The number of the cipher suite at IANA, such as 0x1301."""
    tls_resumed: bool
    """Whether an earlier session was resumed, which costs neither side a signature."""
    alpn: str
    """The protocol that client and listener have agreed on (RFC 7301), such as `http/1.1`; missing: on none."""
    sni: str
    """The host name that the client has asked for (RFC 6066), of up to 255 letters, digits and `._-`, as the client
    spells it; missing: it has named none, or one with other characters, or the context is not a transport's, but was
    given to `start_tls`."""
    server_certificate: str
    """The certificate that was presented, in PEM, without its chain; missing: as `sni`, of a context that was given."""
    client_certificate: ClientCertificate
    """Missing: the client has presented none."""
    ssl_object: ssl.SSLObject
    """The session itself, for facts that have no name here. Nothing may be read from it or written to it."""
    truncated: bool
    """True once the peer's side has ended without TLS's own end: what it has sent may not be all."""
