"""Extensible priorities (RFC 9218): urgency and incremental, of the header `priority` and of PRIORITY_UPDATE."""

from __future__ import annotations

import re

DEFAULT_URGENCY = 3
"""RFC 9218, 4.1."""

_MEMBER = re.compile(
    rb"[ \t]*([a-z*][a-z0-9_.*-]*)(?:=((?:\"(?:[^\"\\]|\\[\"\\])*+\"|[^\",;=]++)?))?((?:;[^,\"]*+)?)[ ]*(?:,|\Z)"
)


def priority_of(value: bytes) -> tuple[int, bool] | None:
    """Return urgency, 0 first and 7 last, and whether parts of the response are of use before the rest.

    A member of another type, or out of its bounds, is ignored (RFC 9218, 4). None: the value is no dictionary of
    RFC 8941, and counts as if it were not there.
    """
    urgency, incremental = DEFAULT_URGENCY, False
    at = 0
    while at < len(value):
        member = _MEMBER.match(value, at)
        if member is None:
            return None
        at = member.end()
        key, item = member[1], member[2]
        if key == b"u" and item is not None and len(item) == 1 and item in b"01234567":
            urgency = int(item)
        elif key == b"i" and item in {None, b"?1", b"?0"}:
            incremental = item != b"?0"
    return urgency, incremental
