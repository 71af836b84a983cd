"""The selector of asyncio's loop in a worker: a thin face of the reactor, which polls for both."""

from __future__ import annotations

import selectors
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import FileDescriptorLike

    from corepool.hot.reactor import Reactor

_NOT_OUT = ~EPOLLOUT
_NOT_IN = ~EPOLLIN


class ReactorSelector(selectors.BaseSelector):
    """Polls with a reactor, which serves its own sources meanwhile; returns asyncio's events only."""

    def __init__(self, reactor: Reactor) -> None:
        """Share the reactor's epoll, and own the reactor: `close` closes it."""
        self._reactor = reactor
        reactor.event_of = self._event_of
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._reactor.poll(timeout)

    def _event_of(self, fd: int, mask: int) -> tuple[selectors.SelectorKey, int] | None:
        key = self._keys.get(fd)
        return None if key is None else (key, _selector_events(mask) & key.events)

    def close(self) -> None:
        self._reactor.close()
        self._keys.clear()

    def register(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        self._reactor.epoll.register(fd, _epoll_mask(events))
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        del self._keys[key.fd]
        try:
            self._reactor.epoll.unregister(key.fd)
        except OSError:
            pass  # closed before it was unregistered: epoll has forgotten it by itself (selectors does the same)
        return key

    def modify(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        key = self.get_key(fileobj)
        if events != key.events:
            self._reactor.epoll.modify(key.fd, _epoll_mask(events))
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


def _epoll_mask(events: int) -> int:
    mask = EPOLLIN if events & selectors.EVENT_READ else 0
    return mask | EPOLLOUT if events & selectors.EVENT_WRITE else mask


def _selector_events(mask: int) -> int:
    # As selectors.EpollSelector: an error or a hang-up wakes both sides.
    events = selectors.EVENT_WRITE if mask & _NOT_IN else 0
    return events | selectors.EVENT_READ if mask & _NOT_OUT else events
