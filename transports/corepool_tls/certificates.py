"""The names and dates of a certificate, asked of OpenSSL by a handshake in memory.

The standard library parses the certificate of the peer only. So a client in this process, which trusts this very
certificate, shakes hands with it: two milliseconds, once for each new file. The alternative is a library of four
megabytes for three fields; and this way a certificate that no client would take is found, too.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from corepool import ServerCertificate
from corepool_tls.contexts import load_chain
from corepool_tls.pem import leaf_of

if TYPE_CHECKING:
    from corepool_tls.state import Material

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: the dates are judged by those who ask for them."""

_EVERY_CIPHER = "ALL:@SECLEVEL=0"


def describe(material: Material) -> ServerCertificate:
    """Return the names and dates of a certificate, whose key was tried, too.

    :raises ValueError: no client would take it, or it is none, or the key does not fit; says in words why.
    """
    if not leaf_of(material.chain):
        raise ValueError(f"{material.source}: no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers(_EVERY_CIPHER)
    load_chain(server, material)
    parsed = _shake_hands(server, material)
    return ServerCertificate(
        source=material.source,
        names=_names(parsed),
        not_before=float(ssl.cert_time_to_seconds(str(parsed["notBefore"]))),
        not_after=float(ssl.cert_time_to_seconds(str(parsed["notAfter"]))),
    )


def _shake_hands(server_context: ssl.SSLContext, material: Material) -> dict[str, object]:
    """Return the server's certificate, as a client has it."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.set_ciphers(_EVERY_CIPHER)
    client_context.verify_flags = ssl.VerifyFlags(ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME)
    client_context.load_verify_locations(cadata=leaf_of(material.chain))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server)
    try:
        for _ in range(_MAX_FLIGHTS):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                if side is client:
                    return dict(client.getpeercert() or {})
    except ssl.SSLCertVerificationError as error:
        raise ValueError(f"{material.source}: no client would take it: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise ValueError(f"{material.source}: a handshake with it fails: {error.reason or error}") from None
    raise ValueError(f"{material.source}: a handshake with it does not end")


_MAX_FLIGHTS = 4
"""Turns of a handshake; TLS 1.3 takes two."""


def _names(parsed: dict[str, object]) -> tuple[str, ...]:
    """Return the host names and addresses; the common name, if there are no others, as clients of old do."""
    found = [name for kind, name in _pairs(parsed.get("subjectAltName")) if kind in {"DNS", "IP Address"}]
    if not found:
        subject = parsed.get("subject")
        several = [pair for each in subject for pair in _pairs(each)] if isinstance(subject, tuple) else []
        found = [value for key, value in several if key == "commonName"]
    return tuple(dict.fromkeys(found))


def _pairs(value: object) -> list[tuple[str, str]]:
    return [(str(key), str(text)) for key, text in value] if isinstance(value, tuple) else []
