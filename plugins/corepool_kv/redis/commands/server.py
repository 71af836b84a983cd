"""Commands about the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


def time_(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


def role(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return [b"master", 0, []]
