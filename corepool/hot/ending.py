"""The decision that a connection ends. `settling` carries it out when no hook of the connection runs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.states import NEVER, NOT_SERVING, NOTHING

if TYPE_CHECKING:
    from corepool.hot.site import Held
    from corepool.spec.types import CloseReason


def end(conn: Held, reason: CloseReason) -> None:
    """Accept no more output; close when the buffered output has left."""
    if conn.reason is None:
        conn.reason = reason
        if conn.reads_left == NOT_SERVING:
            conn.site.unsent.append(conn)


def break_off(conn: Held, reason: CloseReason) -> None:
    """Close without sending the buffered output.

    Not at once: `on_close` must not run inside another hook of the same connection.
    """
    forget_output(conn)
    conn.blocked_at = NEVER
    conn.was_congested = False
    if conn.reason is None:
        conn.reason = reason
    if conn.reads_left == NOT_SERVING:
        conn.site.unsent.append(conn)


def forget_output(conn: Held) -> None:
    """Drop the buffered output."""
    if isinstance(conn.out, bytes):
        conn.out = NOTHING
        return
    conn.out.clear()
    if conn.layers is None:
        conn.out = NOTHING
