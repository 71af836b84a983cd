"""CONFIG: the settings of this server, under the names that Redis has for them. They are changed by a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.glob import Glob
from corepool_kv.redis.replies import OK, Error
from corepool_kv.stores import DATABASES

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState

_MAX_PATTERNS = 100


def get(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    if len(args) > _MAX_PATTERNS:
        raise Error(f"ERR more than {_MAX_PATTERNS} patterns")
    globs = [Glob(pattern.lower()) for pattern in set(args)]
    return {
        name.encode(): value.encode()
        for name, value in _parameters(server).items()
        if any(glob.matches(name.encode()) for glob in globs)
    }


def resetstat(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    server.reset_statistics()
    return OK


def _parameters(server: ServerState) -> dict[str, str]:
    options = server.options
    return {
        "appendfsync": {"never": "no"}.get(options.durability, options.durability),
        "appendonly": "no",
        "databases": str(DATABASES),
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "notify-keyspace-events": "",
        "proto-max-bulk-len": str(options.max_request),
        "save": "",
        "slowlog-log-slower-than": "-1",
        "slowlog-max-len": "0",
    }
