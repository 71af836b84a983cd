"""What a proxy has said about a client, in the header of the PROXY protocol that comes before the client's bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.spec.types import Address


@dataclass(frozen=True, slots=True)
class ProxyTls:
    """TLS between client and proxy, as the proxy tells it. Texts are empty where it doesn't."""

    version: str = ""
    """Such as `TLSv1.3`."""
    cipher: str = ""
    client_name: str = ""
    """The common name of the client's certificate."""
    has_client_certificate: bool = False
    """The client has presented one, on this connection or before in the same TLS session."""
    verified: bool = False
    """It has, and the proxy vouches for it."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """One header, as `conn.facts["proxy"]` has it.

    `peer` and `local` are those of `conn`, too. They are None where the proxy speaks for itself (LOCAL: a health check,
    say), or does not know (UNKNOWN, UNSPEC): then `conn` has the addresses of the proxy's connection.
    """

    version: int
    """1 or 2."""
    peer: Address | None = None
    local: Address | None = None
    authority: str | None = None
    """The host name that the client has asked for: SNI, if it has spoken TLS."""
    alpn: str | None = None
    """The protocol that client and proxy have agreed on (RFC 7301)."""
    unique_id: bytes | None = None
    """The proxy's name for the connection, at most 128 bytes."""
    tls: ProxyTls | None = None
    """None: the client has not spoken TLS with the proxy, or the proxy doesn't say."""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    """Every type-length-value of version 2, those above included: clouds have types of their own, from 0xE0 on."""
    raw: bytes = field(default=b"", repr=False)
    """The header as it came."""
