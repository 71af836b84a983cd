"""Connections that leave this worker for another, and those that come: frozen, thawed, or lost with their worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.errors import ThawRefusedError
from corepool.guards import HOOK_ERRORS
from corepool.hot.beginning import begin
from corepool.ipc.frozen import Frozen
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.hot.site import Held
    from corepool.plugins.freezing import Freezer

log = logging.getLogger(__name__)


class Moving:
    """Freezes and thaws the connections of one service."""

    def __init__(self, freezer: Freezer, on_refused: Callable[[Held], None]) -> None:
        """Ask the plugins by `freezer`.

        :param on_refused: called with a connection that the plugins can't go on with, before it is closed.
        """
        self._freezer = freezer
        self._on_refused = on_refused
        self._rate_limited = RateLimitedLog(log)

    def freeze(self, conn: Held) -> Frozen | None:
        """Return what another process has to know to go on; None: the connection can't be handed on now, or ever."""
        try:
            states = self._freezer.freeze(conn)
        except HOOK_ERRORS:  # logged; it stays, and drains
            conn.site.owner.failed(conn)
            return None
        if states is None:
            return None
        return Frozen(
            conn.crash_slot,
            conn.active_at,
            conn.read_deadline or 0.0,
            conn.moved_at,
            conn.bytes_in,
            conn.bytes_out,
            conn.half_open,
            is_lost=False,
            states=states,
            header=b"" if conn.header is None else conn.header.raw,
        )

    def thaw(self, conn: Held, frozen: Frozen) -> None:
        """Go on where another process has stopped, or close the connection if a plugin can't.

        :raises OSError: it can't be watched; it still has to be closed.
        """
        conn.active_at = frozen.active_at
        conn.moved_at = conn.site.reactor.now
        conn.half_open = frozen.half_open
        conn.read_deadline = frozen.read_deadline or None
        conn.bytes_in, conn.bytes_out = frozen.bytes_in, frozen.bytes_out
        begin(conn, lambda _: self._thaw_plugins(conn, frozen))

    def _thaw_plugins(self, conn: Held, frozen: Frozen) -> None:
        try:
            self._freezer.thaw(conn, frozen.states)
        except ThawRefusedError as error:
            events.connection_refused(self._rate_limited, listener=conn.listener, peer=conn.peer, reason=error)
        except HOOK_ERRORS:  # a hook's bug costs this connection alone
            conn.site.owner.failed(conn)
        else:
            return
        self._on_refused(conn)
        conn.close()
