"""The facts of TLS as applications know them: the variables of Apache's mod_ssl, and the `tls` extension of ASGI.

Made once a connection. They describe the connection to this server: behind a trusted proxy they would be the proxy's,
and are left out (proxies.py).
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import ClientCertificate, Facts

_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "streetAddress": "street",
    "domainComponent": "DC",
    "userId": "UID",
    "givenName": "GN",
    "surname": "SN",
}
"""The attributes that OpenSSL spells shorter in a distinguished name; all others have their long names."""

_VARIABLES = {
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "commonName": "CN",
    "title": "T",
    "initials": "I",
    "givenName": "G",
    "surname": "S",
    "description": "D",
    "userId": "UID",
    "emailAddress": "Email",
}
"""The attributes that mod_ssl has variables for."""

_VERSIONS = {"TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}

_ESCAPED = re.compile(r'[,+"\\<>;=\x00-\x1f\x7f]|^[ #]| $')


def variables_of(facts: Facts) -> dict[str, str]:
    """Return the variables of mod_ssl, as WSGI has text: bytes of UTF-8 as latin-1 (PEP 3333)."""
    made = {
        "SSL_PROTOCOL": facts["tls"],
        "SSL_CIPHER": facts.get("cipher", ""),
        "SSL_CIPHER_USEKEYSIZE": str(facts.get("cipher_bits", "")),
        "SSL_SESSION_RESUMED": "Resumed" if facts.get("tls_resumed") else "Initial",
        "SSL_TLS_SNI": facts.get("sni") or "",
        "SSL_CLIENT_VERIFY": "NONE",
    }
    certificate = facts.get("client_certificate")
    if certificate is not None:
        made["SSL_CLIENT_VERIFY"] = "SUCCESS"
        made |= _variables_of_client(certificate)
    return {name: value.encode().decode("latin-1") for name, value in made.items() if value}


def extension_of(facts: Facts) -> dict[str, object]:
    """Return the `tls` extension of a scope (the ASGI TLS extension, 0.2)."""
    certificate = facts.get("client_certificate")
    return {
        "server_cert": facts.get("server_certificate"),
        "client_cert_chain": () if certificate is None else (certificate.pem, *certificate.chain_pem),
        "client_cert_name": None if certificate is None else spell_name(certificate.subject),
        "client_cert_error": None,  # a connection with a certificate that can't be verified is closed
        "tls_version": _VERSIONS.get(facts["tls"]),
        "cipher_suite": facts.get("cipher_suite"),
    }


def spell_name(name: tuple[tuple[str, str], ...]) -> str:
    """Return a distinguished name as RFC 4514 has it, the most specific part first: `CN=Ann,O=Example,C=DE`."""
    return ",".join(f"{_SHORT.get(key, key)}={_ESCAPED.sub(_escape, value)}" for key, value in reversed(name))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return f"\\{character}" if character.isprintable() else f"\\{ord(character):02X}"


def _variables_of_client(certificate: ClientCertificate) -> dict[str, str]:
    made = {
        "SSL_CLIENT_M_SERIAL": certificate.serial,
        "SSL_CLIENT_S_DN": spell_name(certificate.subject),
        "SSL_CLIENT_I_DN": spell_name(certificate.issuer),
        "SSL_CLIENT_V_START": _moment(certificate.not_before),
        "SSL_CLIENT_V_END": _moment(certificate.not_after),
        "SSL_CLIENT_V_REMAIN": str(max(0, int((certificate.not_after - time.time()) // 86_400))),
        "SSL_CLIENT_CERT": certificate.pem,
    }
    made |= {f"SSL_CLIENT_CERT_CHAIN_{place}": pem for place, pem in enumerate(certificate.chain_pem)}
    made |= dict(_parts_of("SSL_CLIENT_S_DN", certificate.subject))
    made |= dict(_parts_of("SSL_CLIENT_I_DN", certificate.issuer))
    for kind, name in (("email", "Email"), ("DNS", "DNS")):
        values = [value for each, value in certificate.alternative_names if each == kind]
        made |= {f"SSL_CLIENT_SAN_{name}_{place}": value for place, value in enumerate(values)}
    return made


def _parts_of(variable: str, name: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
    """Yield a variable for each attribute; one that is there several times is numbered, too."""
    for attribute, short in _VARIABLES.items():
        values = [value for key, value in name if key == attribute]
        if values:
            yield f"{variable}_{short}", values[0]
        if len(values) > 1:
            yield from ((f"{variable}_{short}_{place}", value) for place, value in enumerate(values))


def _moment(seconds: float) -> str:
    """Return a time as OpenSSL and mod_ssl spell it: `Jun  1 12:00:00 2026 GMT`."""
    when = time.gmtime(seconds)
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[when.tm_mon - 1]
    return f"{month} {when.tm_mday:2} {when.tm_hour:02}:{when.tm_min:02}:{when.tm_sec:02} {when.tm_year} GMT"
