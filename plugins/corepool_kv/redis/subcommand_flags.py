"""The flags of subcommands, as COMMAND INFO of Redis 7.0 has them."""

from __future__ import annotations

_ADMIN = "admin noscript loading stale"
_FLAGS = {
    "acl|getuser": _ADMIN,
    "acl|list": _ADMIN,
    "acl|users": _ADMIN,
    "client|pause": _ADMIN,
    "client|unpause": _ADMIN,
    "client|list": _ADMIN,
    "client|no-evict": _ADMIN,
    "command": "loading stale",
    "config": _ADMIN,
    "function": "noscript",
    "function|delete": "noscript write",
    "function|flush": "noscript write",
    "function|load": "noscript write denyoom",
    "function|restore": "noscript write denyoom",
    "function|kill": "noscript allow_busy",
    "function|stats": "noscript allow_busy",
    "latency": _ADMIN,
    "module": "admin noscript",
    "pubsub": "pubsub loading stale",
    "script": "noscript",
    "script|load": "noscript stale",
    "script|kill": "noscript allow_busy",
    "slowlog": "admin loading stale",
}
"""Of a subcommand, or of all of a container."""

OF_HELP = frozenset(("loading", "stale"))


def flags_of(container: str, name: str) -> frozenset[str]:
    """Return the flags of a subcommand."""
    text = _FLAGS.get(f"{container}|{name}") or _FLAGS.get(container, "noscript loading stale")
    return frozenset(text.split())
