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
    from corepool.worker.sites import Sites

log = logging.getLogger(__name__)


class Moving:
    """Freezes and thaws the connections of one service."""

    def __init__(self, sites: Sites, on_refused: Callable[[Held], None]) -> None:
        """Ask the plugins of each of `sites`.

        :param on_refused: called with a connection that the plugins can't go on with, before it is closed.
        """
        self._sites = sites
        self._freezers = sites.freezers
        self._on_refused = on_refused
        self._rate_limited = RateLimitedLog(log)

    def freeze(self, conn: Held) -> Frozen | None:
        """Return what another process has to know to go on; None: the connection can't be handed on now, or ever."""
        try:
            states = self._freezers[conn.site].freeze(conn)
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
            protocol=conn.site.protocol,
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
        conn.read_deadline = self._deadline(frozen)
        conn.bytes_in, conn.bytes_out = frozen.bytes_in, frozen.bytes_out
        begin(conn, lambda _: self._thaw_plugins(conn, frozen))

    def _deadline(self, frozen: Frozen) -> float | None:
        sniffing = self._sites.sniffing
        if frozen.protocol:
            return frozen.read_deadline or None
        if sniffing is None:  # it waited to be recognised, which it does no more
            return None
        return frozen.read_deadline or sniffing.due

    def _thaw_plugins(self, conn: Held, frozen: Frozen) -> None:
        freezer, chain = self._freezers[conn.site], self._sites.chains[conn.site]
        try:
            _refuse_unknown(conn, frozen)
            if frozen.protocol or not conn.site.protocol:
                freezer.thaw(conn, frozen.states)
            else:
                freezer.thaw_extensions(conn, frozen.states)
                if chain.welcome is not None:
                    chain.welcome(conn)
        except ThawRefusedError as error:
            events.connection_refused(self._rate_limited, listener=conn.listener, peer=conn.peer, reason=error)
        except HOOK_ERRORS:  # a hook's bug costs this connection alone
            conn.site.owner.failed(conn)
        else:
            return
        self._on_refused(conn)
        conn.close()


def _refuse_unknown(conn: Held, frozen: Frozen) -> None:
    if frozen.protocol and not conn.site.protocol:
        raise ThawRefusedError(f"its protocol {frozen.protocol!r} is not one of the listener's any more")
