"""The options of tls: the part of a URL after the '?'."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import corepool
from corepool_tls.contexts import INTERMEDIATE


class TlsOptions(corepool.Options):
    """The URL's ?query. Paths that are not absolute begin at the folder that the pool was started in."""

    cert: Path | None = None
    """A file in PEM: the certificate, and behind it those that lead to an authority, as `fullchain.pem` of certbot."""

    key: Path | None = None
    """The file of its key, in PEM, which no other users may read. Unset: it is in the file of `cert`, too."""

    certs: Path | None = None
    """A folder, in the place of `cert`: each NAME.crt with its NAME.key, or NAME.pem with both, is a certificate. It is
    chosen by the name that a client asks for (SNI) from the names in the certificates, wildcards too."""

    default: str | None = None
    """Of `certs`: the NAME of the one for clients that ask for another name, or for none. Unset: the first by NAME."""

    strict_sni: bool = False
    """Refuse clients that ask for a name that no certificate has, or for none."""

    password_file: Path | None = None
    """The file of the password of encrypted keys, in its first line. No other users may read it."""

    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""

    ciphers: str = INTERMEDIATE
    """The ciphers of TLS 1.2, as `openssl ciphers` takes them. The default is Mozilla's intermediate configuration."""

    client_ca: Path | None = None
    """A file in PEM with the authorities that vouch for certificates of clients. Set: clients are asked for one."""

    client: Literal["optional", "required"] | None = None
    """Whether a client has to have a certificate of `client_ca`. Unset: "required", if there is a `client_ca`."""

    crl: Path | None = None
    """A file in PEM with the lists of revoked certificates of the authorities in `client_ca`; all of them, or clients
    of the others are refused."""

    handshake_timeout: corepool.Duration = 10.0
    """A connection whose handshake takes longer is closed."""

    starttls: bool = False
    """Connections begin in the clear, and the protocol begins TLS, by `conn.start_tls()`, when its client asks."""

    plain: bool = False
    """Also serve clients that don't speak TLS, as their first bytes tell, on the same port."""

    alpn: str | None = None
    """Protocols that are agreed on with the client (ALPN), with commas, the best first. Unset: those of the listener's
    protocol, which are `h2` and `http/1.1` for http."""


def refuse_contradictions(options: TlsOptions) -> None:
    """Refuse options that do not go together.

    :raises ValueError: says which.
    """
    given = {
        name for name in TlsOptions.model_fields if getattr(options, name) != TlsOptions.model_fields[name].default
    }
    if ("cert" in given) == ("certs" in given):
        what = "either cert=PEM or certs=FOLDER, not both" if "cert" in given else "cert=PEM&key=PEM, or certs=FOLDER"
        raise ValueError(f"expected {what}")
    for name, needed in _NEEDED.items():
        if name in given and needed not in given:
            raise ValueError(f"{name} has no meaning without {needed}")
    if options.plain and options.starttls:
        raise ValueError("plain has no meaning with starttls: connections begin in the clear anyway")
    if options.minimum == "1.3" and "ciphers" in given:
        raise ValueError("ciphers has no meaning with minimum=1.3: they are those of TLS 1.2")
    if options.alpn is not None and not all(0 < len(each) < _MAX_ALPN for each in protocols_in(options.alpn)):
        raise ValueError(f"alpn: expected names with commas between them, such as http/1.1; got {options.alpn!r}")


_NEEDED = {"key": "cert", "default": "certs", "client": "client_ca", "crl": "client_ca"}
_MAX_ALPN = 256
"""Bytes of a protocol's name (RFC 7301, 3.1): one less."""


def protocols_in(alpn: str) -> list[bytes]:
    """Return the names of protocols."""
    return [each.strip().encode() for each in alpn.split(",")]
