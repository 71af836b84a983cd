"""The reactor: one epoll for our connections and for asyncio, served inside the selector's own poll.

asyncio's event loop is given this selector. When it asks for events, `select` polls once, serves every
*source* of ours that is ready right there (no Future, no Task, no asyncio transport) and returns only what
asyncio registered itself. So a connection costs what a bare epoll loop would make it cost, and coroutines,
timers and asyncio clients run in the same process.

Three rules keep it right:

- No exception leaves `select`: it would end the loop. Each source is served under its own guard.
- A descriptor leaves epoll before it is closed: epoll watches the open file description, which may live on
  in another process, and would report it for ever under a number that has a new owner.
- What a hook closes is closed when the batch is over, so that no later event of the batch can reach a new
  connection under the old number.
"""

from __future__ import annotations

import selectors
import time
from select import EPOLLIN, EPOLLOUT, epoll
from typing import TYPE_CHECKING, NoReturn, Protocol

from corepool.files.descriptors import release
from corepool.forked import end_fork
from corepool.guards import HOOK_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed import FileDescriptorLike

MAX_EVENTS = 256
"""Events served before asyncio gets its turn; a bound on how long a timer can be late under load."""

_NOT_OUT = ~EPOLLOUT
_NOT_IN = ~EPOLLIN


class Source(Protocol):
    """Something of ours that epoll watches."""

    def on_event(self, mask: int) -> None:
        """Serve the events `mask`. May raise: `on_failure` is then called."""

    def on_failure(self) -> None:
        """Handle an exception of `on_event` or `flush` (sys.exception()). Must not raise."""

    def flush(self) -> None:
        """Send the output made outside of `on_event`. May raise, as `on_event`."""


class _NoEpoll:
    """In the place of an epoll that belongs to another process."""

    def register(self, fd: int, eventmask: int) -> None: ...

    def modify(self, fd: int, eventmask: int) -> None: ...

    def unregister(self, fd: int) -> None: ...

    def close(self) -> None: ...

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> NoReturn:  # noqa: ARG002
        end_fork()


class Reactor(selectors.BaseSelector):
    """A selector for asyncio that serves our own sources as it polls. Used by the worker's main thread only."""

    def __init__(self) -> None:
        """Make the epoll; nothing is watched yet."""
        self._epoll: epoll | _NoEpoll = epoll()
        self._poll = self._epoll.poll
        self._sources: dict[int, Source] = {}
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._to_close: list[int] = []
        self._at_batch_end: list[Callable[[], None]] = []
        self.unsent: list[Source] = []
        """Sources with output that was made outside of their own event; sent before the next poll."""
        self.now = time.monotonic()
        """The time when the current batch of events began, in seconds."""
        self.busy_s = 0.0
        """Time spent outside of epoll_wait, in seconds."""

    # --- our sources

    def add(self, fd: int, source: Source, mask: int) -> None:
        """Watch `fd` for `source`.

        :raises OSError: ENOSPC (fs.epoll.max_user_watches) or ENOMEM; nothing is watched then.
        """
        self._epoll.register(fd, mask)
        self._sources[fd] = source

    def change(self, fd: int, mask: int) -> None:
        """Watch `fd` for other events. EPOLLERR and EPOLLHUP are always among them."""
        self._epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Watch `fd` no more. To be called before it is closed."""
        del self._sources[fd]
        self._epoll.unregister(fd)

    def discard(self, fd: int, source: Source) -> None:
        """Watch `fd` no more, if it is watched for `source`."""
        if self._sources.get(fd) is source:
            self.remove(fd)

    def sources(self) -> list[Source]:
        """List our sources: all watched descriptors but asyncio's."""
        return list(self._sources.values())

    def abandon(self) -> None:
        """Let go of everything. Runs in: a process forked by code in the worker, whose epoll this is.

        When the loop polls next, the process ends.
        """
        self._epoll.close()
        self._epoll = _NoEpoll()
        self._poll = self._epoll.poll

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
        unsent = self.unsent[:]
        self.unsent.clear()  # in place: services hold the list
        for source in unsent:
            try:
                source.flush()
            except HOOK_ERRORS:  # of a layer
                source.on_failure()

    # --- asyncio's side: selectors.BaseSelector

    def register(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        self._epoll.register(fd, _epoll_mask(events))
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        del self._keys[key.fd]
        try:
            self._epoll.unregister(key.fd)
        except OSError:
            pass  # closed before it was unregistered: epoll has forgotten it by itself (selectors does the same)
        return key

    def modify(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        if events != key.events:
            self._epoll.modify(key.fd, _epoll_mask(events))
        key = self._keys[key.fd] = key._replace(events=events, data=data)
        return key

    def get_key(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        try:
            fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
            if fd >= 0:
                return self._keys[fd]
        except ValueError:
            pass  # closed: its number is only in the key
        for key in self._keys.values():
            if key.fileobj is fileobj:
                return key
        raise KeyError(f"{fileobj!r} is not registered")

    def get_map(self) -> Mapping[FileDescriptorLike, selectors.SelectorKey]:
        # asyncio asks for it with descriptor numbers only.
        return self._keys  # type: ignore[return-value]

    def close(self) -> None:
        self._close_pending()
        self._epoll.close()
        self._sources.clear()
        self._keys.clear()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll once, serve our sources, return asyncio's events.

        The hot path: each look-up here happens once a batch.
        """
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
            # The hooks that ran may have made asyncio's next callbacks ready, after it had chosen this timeout.
            timeout = 0.0
        self.busy_s += time.monotonic() - self.now
        try:
            events = self._poll(timeout, MAX_EVENTS)
        except InterruptedError:
            events = []
        self.now = time.monotonic()
        find = self._sources.get
        for_asyncio = []
        for fd, mask in events:
            source = find(fd)
            if source is None:
                key = self._keys.get(fd)
                if key is not None:
                    for_asyncio.append((key, _selector_events(mask) & key.events))
                continue
            try:
                source.on_event(mask)
            except HOOK_ERRORS:  # the first rule above; the source logs it
                source.on_failure()
        if self.unsent or self._to_close or self._at_batch_end:
            self._end_batch()
        return for_asyncio

    def _end_batch(self) -> None:
        calls, self._at_batch_end = self._at_batch_end, []
        for call in calls:
            call()
        self.flush_unsent()
        self._close_pending()

    def _close_pending(self) -> None:
        for fd in self._to_close:
            release(fd)
        self._to_close.clear()


def _epoll_mask(events: int) -> int:
    mask = EPOLLIN if events & selectors.EVENT_READ else 0
    return mask | EPOLLOUT if events & selectors.EVENT_WRITE else mask


def _selector_events(mask: int) -> int:
    # As selectors.EpollSelector: an error or a hang-up wakes both sides.
    events = selectors.EVENT_WRITE if mask & _NOT_IN else 0
    return events | selectors.EVENT_READ if mask & _NOT_OUT else events
