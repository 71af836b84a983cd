"""The reactor's sources, their output and input outside of events, and descriptors to be closed."""

from __future__ import annotations

import time
from select import epoll
from typing import TYPE_CHECKING, NoReturn, Protocol

from corepool.files.descriptors import release
from corepool.forked import end_fork
from corepool.guards import HOOK_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable
    from selectors import SelectorKey

MAX_EVENTS = 256
"""Events served before asyncio gets its turn; a bound on how long a timer can be late under load."""


GATHERED_S = 0.0005
"""How long short output may wait for other events of the turn: the first reply wakes a client that has several
connections, and those behind it find it awake. A wake-up took a tenth of a request by WSGI, a third of a GET."""


class Source(Protocol):
    """Something of ours that epoll watches."""

    def on_event(self, mask: int) -> None:
        """Serve the events `mask`. May raise: `on_failure` is then called."""

    def on_failure(self) -> None:
        """Handle an exception of `on_event`, `flush` or `serve_unread` (sys.exception()). Must not raise."""

    def flush(self) -> None:
        """Send the output made outside of `on_event`. May raise, as `on_event`."""


class UnreadSource(Source, Protocol):
    """A source that may have input for which its descriptor has no event."""

    def serve_unread(self) -> None:
        """Serve that input. May raise, as `on_event`."""


class NoEpoll:
    """In the place of an epoll that belongs to another process."""

    def register(self, fd: int, eventmask: int) -> None: ...

    def modify(self, fd: int, eventmask: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def close(self) -> None: ...

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> NoReturn:  # noqa: ARG002
        end_fork()


class Watching:
    """A reactor without its poll."""

    def __init__(self) -> None:
        """Make the epoll; nothing is watched yet."""
        self.epoll: epoll | NoEpoll = epoll()
        """For asyncio's selector, which registers its descriptors here: they have no source."""
        self.event_of: Callable[[int, int], tuple[SelectorKey, int] | None] = _no_event
        """Of asyncio's selector: translates an event of a descriptor without a source."""
        self.epoll_fd = self.epoll.fileno()
        """-1: it is closed, or of another process."""
        self._poll = self.epoll.poll
        self._sources: dict[int, Source] = {}
        self._to_close: list[int] = []
        self._at_batch_end: list[Callable[[], None]] = []
        self.unsent: list[Source] = []
        """Sources with output that was made outside of their own event; sent before the next poll."""
        self.gathered: list[Source] = []
        """Sources with short output of their own event: it waits for the other events, `gather_s` seconds at most."""
        self.gathers = False
        """There may be such: several events are being served."""
        self.gather_s = GATHERED_S
        self._gathered_due = 0.0
        self.unread: list[UnreadSource] = []
        """Sources with input that no event announces, and new connections: served once a turn, after the events. A
        source that is on it puts itself on it no second time."""
        self.now = time.monotonic()
        """The time when the current batch of events began, in seconds."""
        self.busy_s = 0.0
        """Time spent outside of epoll_wait, in seconds."""
        self.is_abandoned = False
        """This process was forked by a hook, which has returned, or will not."""

    # --- our sources

    def add(self, fd: int, source: Source, mask: int) -> None:
        """Watch `fd` for `source`.

        :raises OSError: ENOSPC (fs.epoll.max_user_watches) or ENOMEM; nothing is watched then.
        """
        self.epoll.register(fd, mask)
        self._sources[fd] = source

    def change(self, fd: int, mask: int) -> None:
        """Watch `fd` for other events. EPOLLERR and EPOLLHUP are always among them."""
        self.epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Watch `fd` no more. To be called before it is closed."""
        del self._sources[fd]
        self.epoll.unregister(fd)

    def discard(self, fd: int, source: Source) -> None:
        """Watch `fd` no more, if it is watched for `source`."""
        if self._sources.get(fd) is source:
            self.remove(fd)

    def sources(self) -> list[Source]:
        """List our sources: all watched descriptors but asyncio's."""
        return list(self._sources.values())

    def abandon(self) -> None:
        """Let go of everything. Runs in: a process forked by code in the worker, whose epoll this is.

        It ends when its hook returns, or its task: what waits for its turn here is served by the worker.
        """
        self.is_abandoned = True
        self._at_batch_end = [end_fork]
        self.epoll_fd = -1
        self.epoll.close()
        self.epoll = NoEpoll()
        self._poll = self.epoll.poll

    def close_later(self, fd: int) -> None:
        """Close `fd` when the batch is over, and own it until then."""
        self._to_close.append(fd)

    def at_batch_end(self, call: Callable[[], None]) -> None:
        """Call once, when the batch is over, before the output made outside of its events leaves. Must not raise."""
        self._at_batch_end.append(call)

    def flush_unsent(self) -> None:
        """Send the output made outside of events until now.

        A flush may run hooks that send on other connections. Those wait for the next call: two that feed
        each other would never let this one end.
        """
        self._flush(self.unsent)

    def close(self) -> None:
        self._close_pending()
        self.epoll_fd = -1
        self.epoll.close()
        self._sources.clear()

    def _serve_unread(self) -> None:
        count = len(self.unread)
        if count > 1:
            self.gathers = True
        for source in self.unread[:count]:
            try:
                source.serve_unread()
            except HOOK_ERRORS:
                source.on_failure()
            if self.is_abandoned:
                end_fork()
            if self.gathered and time.monotonic() >= self._gathered_due:
                self._send_gathered()
        if self.gathered:
            self._send_gathered()
        del self.unread[:count]  # not before: hooks may ask for all connections, and new ones are nowhere else

    def _send_gathered(self) -> None:
        self._flush(self.gathered)
        self._gathered_due = time.monotonic() + self.gather_s

    def _flush(self, sources: list[Source]) -> None:
        waiting = sources[:]
        sources.clear()  # in place: services hold the list of the unsent
        for source in waiting:
            try:
                source.flush()
            except HOOK_ERRORS:  # of a layer
                source.on_failure()
            if self.is_abandoned:
                end_fork()

    def _end_batch(self) -> None:
        calls, self._at_batch_end = self._at_batch_end, []
        for call in calls:
            call()
            if self.is_abandoned:
                end_fork()
        self.flush_unsent()
        self._close_pending()

    def _close_pending(self) -> None:
        for fd in self._to_close:
            release(fd)
        self._to_close.clear()


def _no_event(fd: int, mask: int) -> None:
    """Return nothing: no loop of asyncio uses this reactor yet."""
