"""ACL: there is one user, default, with all rights and the password of the listener."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from corepool_kv.redis.replies import Set

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_USER = b"default"


def users(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [_USER]


def list_(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    password = f"#{_digest(server)}" if server.password else "nopass"
    return [f"user default on {password} ~* &* +@all".encode()]


def getuser(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if args[0] != _USER:
        return None
    return {
        b"flags": Set([b"on"] if server.password else [b"on", b"nopass"]),
        b"passwords": [_digest(server).encode()] if server.password else [],
        b"commands": b"+@all",
        b"keys": b"~*",
        b"channels": b"&*",
        b"selectors": [],
    }


def _digest(server: ServerState) -> str:
    """Return the digest of the password that Redis shows: clients that may ask know the password."""
    return hashlib.sha256(server.password).hexdigest()
