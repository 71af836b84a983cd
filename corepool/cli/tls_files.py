"""`serve --certfile PEM --keyfile PEM`: addresses become those of the transport tls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from corepool.cli.usage import UsageError
from corepool.config.addresses import url_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path | None

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> TlsFiles | None:
        """Take the values of both flags; None: without TLS.

        :raises UsageError: there is a key without a certificate.
        """
        if certificate is None:
            if key is not None:
                raise UsageError("has no meaning without --certfile", "--keyfile")
            return None
        return cls(certificate, key)

    def url_of(self, address: str) -> str:
        """Return the URL for an address as people write it.

        :raises ValueError: it is an address of another transport than tcp; says so in words.
        """
        url = url_of(address)
        if not url.startswith("tcp://"):
            raise ValueError(
                "--certfile is for addresses such as 8443 and HOST:PORT; others say cert=PEM themselves: "
                "tls://HOST:PORT?cert=PEM&key=PEM"
            )
        key = "" if self.key is None else f"&key={quote(str(self.key))}"
        return f"tls{url.removeprefix('tcp')}?cert={quote(str(self.certificate))}{key}"
