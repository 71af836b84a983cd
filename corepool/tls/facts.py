"""The facts of a TLS session, as `corepool.spec.facts` describes them."""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING

from corepool.spec.certificates import ClientCertificate
from corepool.spec.layer import PeerError
from corepool.tls.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from corepool.spec.facts import Facts


def facts_of(session: ssl.SSLObject, *, is_truncated: bool) -> Facts:
    """Return the facts of a session whose handshake is over."""
    name, _, bits = session.cipher() or ("", "", 0)
    facts: Facts = {
        "tls": session.version() or "",
        "cipher": name,
        "cipher_bits": bits,
        "cipher_suite": _suites().get(name, 0),
        "tls_resumed": bool(session.session_reused),
        "truncated": is_truncated,
        "ssl_object": session,
    }
    alpn = session.selected_alpn_protocol()
    if alpn is not None:
        facts["alpn"] = alpn
    if isinstance(session, Session):
        if session.sni is not None:
            facts["sni"] = session.sni
        if session.certificate:
            facts["server_certificate"] = session.certificate
    if session.context.verify_mode != ssl.CERT_NONE:  # only where one may be: to find none takes as long
        der = session.getpeercert(binary_form=True)
        if der is not None:
            facts["client_certificate"] = _certificate_of(session, der)
    return facts


def _certificate_of(session: ssl.SSLObject, der: bytes) -> ClientCertificate:
    try:
        return ClientCertificate.of(session.getpeercert() or {}, der, _chain_of(session))
    except (ValueError, ssl.SSLError) as error:  # names that are not in UTF-8, say, which OpenSSL does not look at
        raise PeerError("bad_client_certificate", f"the certificate of the client can't be read: {error}") from None


def _chain_of(session: ssl.SSLObject) -> Sequence[bytes]:
    """Return the chain as it was verified; Python knows it from 3.13 on."""
    get = getattr(session, "get_verified_chain", None)
    return () if get is None else get()


@cache
def _suites() -> Mapping[str, int]:
    """Return the numbers of all cipher suites; OpenSSL's have another number in the upper half (0x0300)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {each["name"]: each["id"] & 0xFFFF for each in context.get_ciphers()}
