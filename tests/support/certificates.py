"""Certificates for tests, and clients that trust them; made once for each process of a test session.

Making one takes a millisecond or two: the keys are elliptic.
"""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

if TYPE_CHECKING:
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
        write_secret(key, self.key)
        certificate.write_bytes(self.certificate)
        return certificate, key


def write_secret(path: Path, content: bytes) -> None:
    """Write a file for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_bytes(content)


def authority(name: str = "ours") -> trustme.CA:
    """Return an authority; another name is another one."""
    return _authority(name)


@cache
def _authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name, key_type=trustme.KeyType.ECDSA)


@cache
def pair(
    *names: str, issued_by: str = "ours", not_before: dt.datetime | None = None, not_after: dt.datetime | None = None
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


def revoked_pem(*revoked: Pair) -> bytes:
    """Return the list of an authority's revoked certificates."""
    now = dt.datetime.now(dt.UTC)
    ours = authority()
    builder = x509.CertificateRevocationListBuilder(
        x509.load_pem_x509_certificate(ours.cert_pem.bytes()).subject,
        now - dt.timedelta(1),
        now + dt.timedelta(30),
        revoked_certificates=[
            x509.RevokedCertificateBuilder(x509.load_pem_x509_certificate(each.leaf).serial_number, now).build()
            for each in revoked
        ],
    )
    key = load_pem_private_key(ours.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def load(context: ssl.SSLContext, of: Pair) -> None:
    """Have a context use a certificate."""
    with trustme.Blob(of.key + of.certificate).tempfile() as path:
        context.load_cert_chain(path)
