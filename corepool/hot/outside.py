"""Hooks, and reads, outside of a connection's own event: of timers, of tasks, of the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.ending import break_off
from corepool.hot.states import GONE, NOT_SERVING, READS_PER_EVENT
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.hot.site import Held
    from corepool.spec.connection import Connection


def run(conn: Held, hook: Callable[[Connection], object]) -> object:
    """Call a hook outside of `on_event`, and have what it did settled before the next poll."""
    result = guard(conn, hook)
    if conn.reads_left == NOT_SERVING and (conn.out or conn.eof or conn.reason is not None):
        conn.site.unsent.append(conn)
    return result


def guard(conn: Held, hook: Callable[[Connection], object]) -> object:
    """Call a hook; the caller sends and settles. An exception costs this connection alone."""
    was_serving = conn.reads_left
    conn.reads_left = READS_PER_EVENT
    try:
        return hook(conn)
    except HOOK_ERRORS:  # logged
        break_off(conn, CloseReason.ERROR)
        conn.site.owner.failed(conn)
        return None
    finally:
        conn.reads_left = was_serving


def receive(conn: Held, limit: int) -> bytes:
    """Receive outside of an event, as tasks and timers do; what it meets (the end, a reset) is settled later."""
    if conn.mask == GONE:
        return b""
    if conn.journal is not None:
        conn.journal.wake()
        conn.site.unsent.append(conn)  # `flush` has it written where the connection stands then
    conn.reads_left = 1
    try:
        data = conn.recv(limit)
    finally:
        conn.reads_left = NOT_SERVING
    if data:
        conn.active_at = conn.site.reactor.now
    if conn.eof or conn.reason is not None or (conn.layers is not None and conn.out):
        conn.site.unsent.append(conn)
    return data
