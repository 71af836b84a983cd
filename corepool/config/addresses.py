"""Addresses as people write them, `8000`, `:8000`, `127.0.0.1:8000`, `[::1]:8000`, become URLs."""

from __future__ import annotations

import re

_PORT = re.compile(r"[0-9]+")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\[\]/?#]*\]|[^\[\]:/?#@]*):(?P<port>[0-9]+)")


def url_of(address: str) -> str:
    """Return the URL of an address; anything that is no shorter way to write one stays as it is.

    A port alone is a port of the loopback, as for uvicorn; a colon before it means every IPv4 address, as for
    gunicorn and nginx.
    """
    if _PORT.fullmatch(address):
        return f"tcp://127.0.0.1:{address}"
    if _HOST_AND_PORT.fullmatch(address):
        return f"tcp://{address}"
    return address
