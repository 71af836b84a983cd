"""Rules for requests of every version of HTTP (RFC 9110)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool_http.message import RefusedError

if TYPE_CHECKING:
    from corepool_http.message import Section

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A name of a method or of a header (RFC 9110, 5.6.2)."""

HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""A host and a port, as Host and :authority have them."""


def too_large(max_body: int) -> RefusedError:
    """Return the refusal of content."""
    return RefusedError(413, f"content of more than {max_body} bytes")


def expects_continue(section: Section) -> bool:
    """Report whether the client waits for 100 (Continue).

    :raises RefusedError: it expects something else (RFC 9110, 10.1.1).
    """
    expected = set(section.tokens(b"expect"))
    if expected - {b"100-continue"}:
        raise RefusedError(417, "unsupported expectation")
    return bool(expected)
