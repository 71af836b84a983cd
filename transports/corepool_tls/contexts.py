"""Contexts of OpenSSL, as the options want them. `load_chain` is the one place where a context gets its certificate.

All connections of a bound socket begin with one context, which the master makes before it forks: the keys of session
tickets are its, so any worker resumes the session of another, also after new certificates have come. By the name that
the client asks for, its session then changes to the context of a certificate. OpenSSL goes on using the ticket keys of
the first (`session_ctx`).
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from corepool_tls import openssl
from corepool_tls.groups import choose_groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from corepool_tls.state import Material, Trust

INTERMEDIATE = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""Mozilla's intermediate ciphers for TLS 1.2 (wiki.mozilla.org/Security/Server_Side_TLS), less those of DHE: without
elliptic curves they cost the server far more, and no client of the last ten years needs them."""

_MAX_CLIENT_CHAIN = 64 * 1024
"""Bytes of the certificates that a client sends; OpenSSL takes 100 KiB, and keeps them parsed, in six times as much."""

_MINIMUM = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class Profile(NamedTuple):
    """What all contexts of a bound socket have in common."""

    minimum: str
    ciphers: str
    client: ssl.VerifyMode
    checks_revocation: bool
    alpn: Sequence[str]


def make_context(profile: Profile) -> ssl.SSLContext:
    """Make a context without a certificate.

    :raises ValueError: the ciphers are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _MINIMUM[profile.minimum]
    try:
        context.set_ciphers(profile.ciphers)
    except ssl.SSLError:
        raise ValueError(
            f"ciphers: OpenSSL knows none of {profile.ciphers!r}; `openssl ciphers -v` lists them"
        ) from None
    # Renegotiation lets a client have handshakes without end; compression tells secrets by their length (CRIME).
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # All ciphers are good: a phone without instructions for AES may choose ChaCha20.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    choose_groups(context)
    if profile.alpn:
        context.set_alpn_protocols(list(profile.alpn))
    context.verify_mode = profile.client
    openssl.control(context, openssl.SET_MAX_CERT_LIST, _MAX_CLIENT_CHAIN)
    if verifies_clients(profile):  # a session that is resumed keeps the verdict of its beginning
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if profile.checks_revocation:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


def verifies_clients(profile: Profile) -> bool:
    """Return whether clients are asked for a certificate: then each connection verifies it, and none is resumed."""
    return profile.client != ssl.CERT_NONE


def keep_no_sessions(context: ssl.SSLContext) -> bool:
    """Turn off OpenSSL's cache, of 20,480 sessions by default, of which tickets have no need; False: can't be done.

    A client of TLS 1.2 that takes no tickets then has a full handshake each time.
    """
    return openssl.control(context, openssl.SET_SESS_CACHE_MODE, 0) is not None


def load_chain(context: ssl.SSLContext, material: Material) -> None:
    """Have a context present a certificate.

    :raises ValueError: it can't; says in words why.
    """
    try:
        with _in_memory(material.chain) as chain, _in_memory(material.key) as key:
            context.load_cert_chain(chain, key, lambda: _password_of(material))
    except ssl.SSLError as error:
        raise ValueError(_spell(error, material)) from None
    except OSError as error:
        raise ValueError(_spell_no_memory(material.source, error)) from None


def load_trust(context: ssl.SSLContext, trust: Trust) -> None:
    """Have a context verify clients.

    :raises ValueError: it can't; says in words why.
    """
    if trust.authorities:
        try:
            context.load_verify_locations(cadata=trust.authorities)
        except ssl.SSLError as error:
            raise ValueError(f"client_ca: no certificates in PEM ({_words(error)})") from None
    if trust.revoked:
        try:
            with _in_memory(trust.revoked) as path:
                context.load_verify_locations(path)
        except ssl.SSLError as error:
            raise ValueError(f"crl: no list of revoked certificates in PEM ({_words(error)})") from None
        except OSError as error:
            raise ValueError(_spell_no_memory("crl", error)) from None


@contextmanager
def _in_memory(content: str) -> Iterator[str]:
    """Lend a path by which this process, and none but it, can read `content`: OpenSSL takes paths only.

    The file has no name on any disk. A process may look into its own /proc/self/fd even when it was root before.
    """
    fd = os.memfd_create("corepool-tls")
    try:
        rest = memoryview(content.encode())
        while rest:
            rest = rest[os.write(fd, rest) :]
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _password_of(material: Material) -> str:
    """Return the password of a key that is encrypted. Without this function OpenSSL would ask at the terminal."""
    if material.password is None:
        raise ValueError(f"{material.key_source}: the key is encrypted; password_file=PATH has its password")
    return material.password


def _spell(error: ssl.SSLError, material: Material) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{material.key_source}: the key does not fit the certificate in {material.source}"
    if error.reason in {"KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}:
        return f"{material.key_source}: the key is of another kind than the certificate in {material.source}"
    if error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
        return f"{material.source}: too weak for OpenSSL ({_words(error)})"
    if material.password is not None:
        return f"{material.key_source}: the key can't be read; the password may be wrong ({_words(error)})"
    return f"{material.source}: OpenSSL can't use this certificate with this key ({_words(error)})"


def _spell_no_memory(its: str, error: OSError) -> str:
    return f"{its}: can't be handed to OpenSSL ({error.strerror or error}), which takes /proc and a free descriptor"


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
