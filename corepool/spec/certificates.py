"""Certificates as a transport tells of them: those that it presents, and that of a client."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Name = tuple[tuple[str, str], ...]
"""A distinguished name: attributes and values, in the order of the certificate. `("commonName", "example.org")`, say:
the names of attributes are the long ones of OpenSSL."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate that a transport presents, for `status` and /metrics. Times are seconds since the epoch."""

    source: str
    """The file that it was read from."""
    names: tuple[str, ...]
    """The host names and addresses that it is for."""
    not_before: float
    not_after: float


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """The certificate that the client of one connection has presented. Times are seconds since the epoch.

    It was verified: an authority of `client_ca`, or of the context given to `start_tls`, vouches for it.
    """

    der: bytes
    subject: Name
    issuer: Name
    serial: str
    """In hexadecimal digits."""
    not_before: float
    not_after: float
    alternative_names: tuple[tuple[str, str], ...] = ()
    """The subjectAltName extension: kinds (`DNS`, `email`, `URI`, `IP Address`) and values."""
    chain: tuple[bytes, ...] = ()
    """The certificates that lead from it to an authority, in DER, as far as they are known; without itself."""

    @classmethod
    def of(cls, parsed: Mapping[str, object], der: bytes, chain: Sequence[bytes] = ()) -> ClientCertificate:
        """Make it of a verified one: of `SSLObject.getpeercert()` as a dict and as DER.

        :param chain: the certificates that lead to an authority, in DER, with or without itself.
        """
        return cls(
            der=der,
            subject=_name(parsed.get("subject")),
            issuer=_name(parsed.get("issuer")),
            serial=str(parsed.get("serialNumber", "")),
            not_before=_seconds(parsed.get("notBefore")),
            not_after=_seconds(parsed.get("notAfter")),
            alternative_names=_pairs(parsed.get("subjectAltName")),
            chain=tuple(each for each in chain if each != der),
        )

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def chain_pem(self) -> list[str]:
        """The certificates that lead to an authority, in PEM."""
        return [ssl.DER_cert_to_PEM_cert(each) for each in self.chain]


def _name(value: object) -> Name:
    # A sequence of sets of attributes, of which nearly all have one.
    return tuple(pair for each in value for pair in _pairs(each)) if isinstance(value, tuple) else ()


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(text)) for key, text in value) if isinstance(value, tuple) else ()


def _seconds(value: object) -> float:
    return float(ssl.cert_time_to_seconds(value)) if isinstance(value, str) else 0.0
