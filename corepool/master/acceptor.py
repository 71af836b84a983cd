"""Accepting on one bound socket, in the master."""

from __future__ import annotations

import logging
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool.system.accepting import RETRY_DELAY_S, ExhaustedError, accept_one

if TYPE_CHECKING:
    from corepool.master.dispatch import Dispatch
    from corepool.master.loop import Loop, Timer
    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)

ACCEPTS_PER_TURN = 64
"""Connections taken from one backlog before signals, exits and the other listeners get their turn."""

_LAST_TURNS = 64
"""Turns taken at the end, at most: a whole backlog of the usual size (4096), but no flood that goes on and on."""


class Acceptor:
    """Takes connections from a backlog to the dispatch, as long as there is room."""

    def __init__(self, bound: BoundSocket, loop: Loop, dispatch: Dispatch) -> None:
        self._bound = bound
        self._loop = loop
        self._dispatch = dispatch
        self._rate_limited = RateLimitedLog(log)
        self._watching = False
        self._paused = False
        self._retry: Timer | None = None
        self.accepted = 0

    @property
    def listener(self) -> str:
        """The name of the listener it accepts for."""
        return self._bound.listener.name

    def start(self) -> None:
        """Accept from now on."""
        self._paused = False
        self._watch()

    def pause(self) -> None:
        """Leave connections in the backlog."""
        self._paused = True
        self._unwatch()

    def stop(self) -> None:
        """Accept the waiting connections, if there is room and no other server will take them; then stop accepting."""
        if not self._bound.transport.outlives:
            self._take_rest()
        self.pause()

    def _take_rest(self) -> None:
        for _ in range(_LAST_TURNS):
            if self._paused or self._retry is not None or self.accept() < ACCEPTS_PER_TURN:
                break

    def accept(self) -> int:
        """Take a bounded number of connections from the backlog and dispatch them.

        :returns: how many.
        """
        before = self.accepted
        dispatch = self._dispatch
        dispatch.refresh()
        for _ in range(ACCEPTS_PER_TURN):
            if not dispatch.has_room:
                break
            try:
                accepted = accept_one(self._bound.socket)
            except ExhaustedError as error:
                self._rate_limited.warn(
                    "accept paused url=%s reason=%s retry_s=%g", self._bound.url, error, RETRY_DELAY_S
                )
                self._rest()
                break
            except OSError:
                self._rate_limited.exception("accept failed url=%s retry_s=%g", self._bound.url, RETRY_DELAY_S)
                self._rest()
                break
            if accepted is None:
                break
            self.accepted += 1
            dispatch.place(self._bound, *accepted)
        dispatch.flush()
        return self.accepted - before

    def _on_event(self, mask: int) -> None:  # noqa: ARG002
        self.accept()

    def _rest(self) -> None:
        self._unwatch()
        self._retry = self._loop.call_later(RETRY_DELAY_S, self._on_rested)

    def _on_rested(self) -> None:
        self._retry = None
        self._watch()

    def _watch(self) -> None:
        if not (self._watching or self._paused or self._retry):
            self._loop.watch(self._bound.socket.fileno(), EPOLLIN, self._on_event)
            self._watching = True

    def _unwatch(self) -> None:
        if self._watching:
            self._loop.unwatch(self._bound.socket.fileno())
            self._watching = False
