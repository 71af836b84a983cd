"""Certificates for tests, and clients that trust them; made once for each process of a test session.

Making one takes a millisecond or two: the keys are elliptic.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key, in PEM."""

    certificate: bytes
    key: bytes

    @property
    def leaf(self) -> bytes:
        """The certificate without its chain."""
        end = b"-----END CERTIFICATE-----\n"
        return self.certificate.partition(end)[0] + end

    def write(self, folder: Path, name: str = "server") -> tuple[Path, Path]:
        """Write NAME.crt, and NAME.key for its owner alone."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self.certificate)
        key.touch(0o600)
        key.write_bytes(self.key)
        return certificate, key


@cache
def authority(name: str = "ours") -> trustme.CA:
    """Return an authority; another name is another one."""
    return trustme.CA(organization_name=name, key_type=trustme.KeyType.ECDSA)


@cache
def pair(
    *names: str, issued_by: str = "ours", not_before: datetime | None = None, not_after: datetime | None = None
) -> Pair:
    """Return a certificate of these names, "localhost" and the loopback addresses by default."""
    issued = authority(issued_by).issue_cert(
        *(names or ("localhost", "127.0.0.1", "::1")),
        not_before=not_before,
        not_after=not_after,
        key_type=trustme.KeyType.ECDSA,
    )
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return Pair(chain, issued.private_key_pem.bytes())


def server_context(of: Pair | None = None) -> ssl.SSLContext:
    """Return a context for a server in a test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(context, of or pair())
    return context


def client_context(trusted: str = "ours") -> ssl.SSLContext:
    """Return a context for a client that trusts one authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority(trusted).configure_trust(context)
    return context


def authority_pem(name: str = "ours") -> str:
    """Return the certificate of an authority."""
    return authority(name).cert_pem.bytes().decode()


def load(context: ssl.SSLContext, of: Pair) -> None:
    """Have a context use a certificate."""
    with trustme.Blob(of.key + of.certificate).tempfile() as path:
        context.load_cert_chain(path)
