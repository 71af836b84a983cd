"""The reactor: one epoll for our connections and for asyncio, served inside the poll of asyncio's selector.

`poll` polls once, serves every *source* of ours that is ready right there (no Future, no Task, no asyncio
transport) and returns asyncio's events, as its selector (`asyncio_selector.py`) translates them. So a connection
costs what a bare epoll loop would make it cost, and coroutines, timers and asyncio clients run in the same
process.

Three rules keep it right:

- No exception leaves `poll`: it would end the loop. Each source is served under its own guard.
- A descriptor leaves epoll before it is closed: epoll watches the open file description, which may live on
  in another process, and would report it for ever under a number that has a new owner.
- What a hook closes is closed when the batch is over, so that no later event of the batch can reach a new
  connection under the old number.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from corepool.forked import end_fork
from corepool.guards import HOOK_ERRORS
from corepool.hot.watching import MAX_EVENTS, Watching

if TYPE_CHECKING:
    from collections.abc import Collection
    from selectors import SelectorKey

__all__ = ["PythonReactor", "Reactor"]


class PythonReactor(Watching):
    """Serves our sources as it polls. Used by the worker's main thread only."""

    def poll(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Poll once, serve our sources, return asyncio's events.

        The hot path: each look-up here happens once a batch.

        :param timeout: in seconds; None: wait until something happens.
        """
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
            # The hooks that ran may have made asyncio's next callbacks ready, after it had chosen this timeout.
            timeout = 0.0
        elif self.unread:
            timeout = 0.0
        self.busy_s += time.monotonic() - self.now
        try:
            events = self._poll(timeout, MAX_EVENTS)
        except InterruptedError:
            events = []
        self.now = time.monotonic()
        find = self._sources.get
        others: list[tuple[SelectorKey, int]] = []
        self.gathers = len(events) > 1
        self._gathered_due = self.now + self.gather_s
        for fd, mask in events:
            source = find(fd)
            if source is None:
                event = self.event_of(fd, mask)
                if event is not None:
                    others.append(event)
                continue
            try:
                source.on_event(mask)
            except HOOK_ERRORS:  # the first rule above; the source logs it
                source.on_failure()
            if self.is_abandoned:
                end_fork()
            if self.gathered and time.monotonic() >= self._gathered_due:
                self._send_gathered()
        if self.unread:
            self._serve_unread()
        self.gathers = False
        if self.gathered:
            self._send_gathered()
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
        return others

    def poll_for(
        self, ready: Collection[object], timers: Collection[object], timeout: float | None
    ) -> list[tuple[SelectorKey, int]]:
        """Poll for asyncio, and again as long as that has brought it no event, callback or timer.

        :param ready: asyncio's callbacks.
        :param timers: asyncio's; only its own turn takes any out: as many are the same ones.
        :param timeout: in seconds, until the first timer is due; None: there is none.
        """
        count = len(timers)
        due = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            events = self.poll(timeout)
            if events or ready or len(timers) != count:
                return events
            if timeout is not None:
                timeout = due - time.monotonic()
                if timeout <= 0:
                    return events


try:
    from corepool.hot._reactor import Reactor
except ImportError:  # corepool was installed without a compiler
    Reactor = PythonReactor  # type: ignore[misc]
