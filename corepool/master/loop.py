"""The master's loop: one epoll, a heap of timers. It has no policy; handlers are given to it."""

from __future__ import annotations

import errno
import heapq
import itertools
import logging
import time
from select import epoll
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

_MAX_EVENTS = 64

_NOT_NOW = frozenset({errno.ENOSPC, errno.ENOMEM})
"""Errors of epoll_ctl(2) that pass: fs.epoll.max_user_watches is for all processes of a user."""

_REGISTER_AGAIN_S = 0.1
_POLL_AGAIN_S = 0.1


class Timer:
    """A call that is due at some time, until it is cancelled."""

    __slots__ = ("call", "order", "when")

    def __init__(self, when: float, order: int, call: Callable[[], None]) -> None:
        self.when = when
        self.order = order
        self.call: Callable[[], None] | None = call

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)

    def cancel(self) -> None:
        """Forget the call; again is harmless."""
        self.call = None


class Repetition:
    """A call that recurs until it is cancelled. One that fails is logged, and recurs all the same."""

    def __init__(self, loop: Loop, interval_s: Callable[[], float], call: Callable[[], object]) -> None:
        self._loop = loop
        self._interval_s = interval_s
        self._call = call
        self._timer = loop.call_later(interval_s(), self._on_timer)

    def cancel(self) -> None:
        """Call no more; again is harmless."""
        self._timer.cancel()

    def _on_timer(self) -> None:
        self._timer = self._loop.call_later(self._interval_s(), self._on_timer)
        self._call()


class Loop:
    """Calls handlers of ready descriptors and due timers. Single-threaded; an exception in one is logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._epoll = epoll()
        self._clock = clock
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._order = itertools.count()
        self._unregistered: dict[int, int] = {}
        """Descriptors that epoll has no room for now, or that rest, and their masks."""
        self._rate_limited = RateLimitedLog(log, clock)
        self._lack = RateLimitedLog(log, clock)

    def time(self) -> float:
        """Return the loop's clock, in seconds."""
        return self._clock()

    def watch(self, fd: int, mask: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` whenever `fd` is ready. The caller keeps `fd` and unwatches before closing it.

        While the system has no room for one more, its events come late: it is tried again, so that no caller has to.
        """
        self._register(fd, mask)
        self._handlers[fd] = handler

    def change(self, fd: int, mask: int) -> None:
        """Watch `fd` for other events."""
        if fd in self._unregistered:
            self._unregistered[fd] = mask
        else:
            self._epoll.modify(fd, mask)

    def rest(self, fd: int, mask: int) -> None:
        """Leave `fd` alone for a moment: epoll would report it again at once."""
        if fd in self._handlers and fd not in self._unregistered:
            self._epoll.unregister(fd)
            self._register_later(fd, mask)

    def unwatch(self, fd: int) -> bool:
        """Watch `fd` no more; False: it is not watched, which is fine."""
        if self._handlers.pop(fd, None) is None:
            return False
        if self._unregistered.pop(fd, None) is None:
            self._epoll.unregister(fd)
        return True

    def call_later(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Call once, `delay_s` from now."""
        timer = Timer(self._clock() + delay_s, next(self._order), call)
        heapq.heappush(self._timers, timer)
        return timer

    def repeat(self, interval_s: Callable[[], float], call: Callable[[], object]) -> Repetition:
        """Call again and again, first after `interval_s()`, which is asked anew each time."""
        return Repetition(self, interval_s, call)

    def turn(self, longest_s: float | None = None) -> None:
        """Wait for events and timers, `longest_s` at most, and serve the due ones once."""
        timers = self._timers
        while timers and timers[0].call is None:
            heapq.heappop(timers)
        if timers:
            due_s = max(0.0, timers[0].when - self._clock())
            longest_s = due_s if longest_s is None else min(longest_s, due_s)
        try:
            ready = self._epoll.poll(longest_s, _MAX_EVENTS)
        except InterruptedError:
            ready = []
        except OSError as error:  # timers go on meanwhile, and nothing spins
            events.poll_failed(self._lack, reason=error)
            ready = []
            time.sleep(_POLL_AGAIN_S)
        for fd, mask in ready:
            handler = self._handlers.get(fd)
            if handler is not None:
                self._guarded(handler, mask)
        now = self._clock()
        while timers and timers[0].when <= now:
            call = heapq.heappop(timers).call
            if call is not None:
                self._guarded(call)

    def close(self) -> None:
        """Close the epoll. Idempotent."""
        self._epoll.close()
        self._handlers.clear()
        self._unregistered.clear()
        self._timers.clear()

    def _register(self, fd: int, mask: int) -> None:
        try:
            self._epoll.register(fd, mask)
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise
            events.watch_postponed(self._lack, reason=error, retry_s=_REGISTER_AGAIN_S)
            self._register_later(fd, mask)

    def _register_later(self, fd: int, mask: int) -> None:
        if not self._unregistered:
            self.call_later(_REGISTER_AGAIN_S, self._register_again)
        self._unregistered[fd] = mask

    def _register_again(self) -> None:
        left, self._unregistered = self._unregistered, {}
        for fd, mask in left.items():
            self._register(fd, mask)

    def _guarded(self, call: Callable[..., None], *values: int) -> None:
        try:
            call(*values)
        except HOOK_ERRORS as error:  # logged; not each time: a ready descriptor is called again at once
            events.master_failed.exception(self._rate_limited, error)
