"""The deadlines of one connection, and what happens when one passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.hot.ending import break_off, end
from corepool.hot.outside import run
from corepool.spec.types import CloseReason, TimeoutKind

if TYPE_CHECKING:
    from corepool.hot.site import Held


def earliest_deadline(conn: Held) -> tuple[float, TimeoutKind] | None:
    """Return the earliest deadline, and its kind."""
    site = conn.site
    due: tuple[float, TimeoutKind] | None = None
    if site.idle_timeout and not conn.blocked_at:
        due = (conn.active_at + site.idle_timeout, TimeoutKind.IDLE)
    if site.write_timeout and conn.blocked_at:
        due = (conn.blocked_at + site.write_timeout, TimeoutKind.WRITE)
    if conn.read_deadline is not None and (due is None or conn.read_deadline < due[0]):
        due = (conn.read_deadline, TimeoutKind.READ)
    return due


def time_out(conn: Held, kind: TimeoutKind) -> None:
    """Ask the plugins whether the connection stays, although a deadline has passed."""
    now = conn.site.reactor.now
    if kind is TimeoutKind.READ:
        conn.read_deadline = None
    elif kind is TimeoutKind.IDLE:
        conn.active_at = now
    else:
        conn.blocked_at = now
    on_timeout = conn.site.on_timeout
    kept = on_timeout is not None and run(conn, lambda conn: on_timeout(conn, kind)) is not None
    if kept:
        return
    if kind is TimeoutKind.WRITE:
        break_off(conn, CloseReason.TIMEOUT)
    else:
        end(conn, CloseReason.TIMEOUT)
