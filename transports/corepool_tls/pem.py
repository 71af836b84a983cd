"""Blocks of text in PEM (RFC 7468), found by their first and last lines; nothing is decoded."""

from __future__ import annotations

import re

_CERTIFICATE = re.compile(
    "-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----.*?-----END (X509 |TRUSTED )?CERTIFICATE-----", re.DOTALL
)
_KEY = re.compile("-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
_LIST_BEGINS = "-----BEGIN X509 CRL-----"
_LIST = re.compile(f"{_LIST_BEGINS}.*?-----END X509 CRL-----", re.DOTALL)


def leaf_of(chain: str) -> str:
    """Return the first certificate; "" if there is none."""
    found = _CERTIFICATE.search(chain)
    return f"{found[0]}\n" if found else ""


def has_key(text: str) -> bool:
    """Return whether a private key begins."""
    return _KEY.search(text) is not None


def lists_of(text: str) -> str:
    """Return the lists of revoked certificates, and nothing that stands between them; "": none, or one is cut off."""
    found = _LIST.findall(text)
    return "".join(f"{each}\n" for each in found) if len(found) == text.count(_LIST_BEGINS) else ""
