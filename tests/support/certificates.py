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
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

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

    def encrypted(self, password: bytes) -> Pair:
        """Return the same with the key encrypted."""
        key = load_pem_private_key(self.key, None)
        encryption = BestAvailableEncryption(password)
        return Pair(self.certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))

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


def strict_pair() -> Pair:
    """Return a certificate of "localhost" as authorities make them today: for 90 days, and by the rules of browsers."""
    ours, now = authority(), dt.datetime.now(dt.UTC)
    issuer = x509.load_pem_x509_certificate(ours.cert_pem.bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        issuer.subject,
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]),
        key.public_key(),
        x509.random_serial_number(),
        now - dt.timedelta(1),
        now + dt.timedelta(89),
    )
    for extension in (
        x509.SubjectAlternativeName([x509.DNSName("localhost")]),
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
            issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        ),
    ):
        builder = builder.add_extension(extension, critical=False)
    signed = builder.sign(_key_of(ours), hashes.SHA256()).public_bytes(Encoding.PEM)
    return Pair(signed, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def unreadable_pair() -> Pair:
    """Return a certificate of a client with a name that is no text: OpenSSL doesn't look at it, and Python does."""
    ours, now = authority(), dt.datetime.now(dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    email = x509.UnrecognizedExtension(x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05\x81\x03\xff\xfea")
    builder = x509.CertificateBuilder(
        x509.load_pem_x509_certificate(ours.cert_pem.bytes()).subject,
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ann")]),
        key.public_key(),
        x509.random_serial_number(),
        now - dt.timedelta(1),
        now + dt.timedelta(89),
    ).add_extension(email, critical=False)
    signed = builder.sign(_key_of(ours), hashes.SHA256()).public_bytes(Encoding.PEM)
    return Pair(signed, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _key_of(of: trustme.CA) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(of.private_key_pem.bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


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
    return builder.sign(_key_of(ours), hashes.SHA256()).public_bytes(Encoding.PEM)


def load(context: ssl.SSLContext, of: Pair) -> None:
    """Have a context use a certificate."""
    with trustme.Blob(of.key + of.certificate).tempfile() as path:
        context.load_cert_chain(path)
