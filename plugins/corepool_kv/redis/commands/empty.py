"""Commands about things that this server never has: modules, latency events, scripts that run when it is asked.

Clients and their test suites empty these before they begin, and monitoring reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.replies import Error

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


def nothing(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return []


def zero(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return 0


def not_busy(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error("NOTBUSY No scripts in execution right now.")
