"""LATENCY: latencies of events are not sampled, as by a Redis whose latency-monitor-threshold is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.redis.replies import Error, Verbatim, text_of

if TYPE_CHECKING:
    from corepool_kv.redis.replies import Reply
    from corepool_kv.redis.session import Session
    from corepool_kv.redis.state import ServerState


def doctor(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return Verbatim(
        "Latencies of events are not sampled here: there is nothing to report. SLOWLOG GET has the slow commands, and "
        "the metrics of the pool have how long its workers' loops were kept from other clients.\n"
    )


def graph(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    raise Error(f"ERR No samples available for event '{text_of(args[0])}'")


def histogram(server: ServerState, session: Session, args: list[bytes]) -> Reply:  # noqa: ARG001
    return {}
