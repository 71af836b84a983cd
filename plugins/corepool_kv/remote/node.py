"""One server, as one worker reaches it: the links that all clients share, and those that one has for itself.

There is a shared link for each version of the protocol and each database that clients use. When the server can't be
reached, requests are answered with an error at once until the back-off is over; the next one after that tries again.
"""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Protocol

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.remote.link import Link

if TYPE_CHECKING:
    from corepool_kv.remote.link import Settings
    from corepool_kv.remote.request import Request
    from corepool_kv.stores.remote_url import Server

log = logging.getLogger(__name__)

_BACK_OFF_S = 0.05
_MAX_BACK_OFF_S = 1.0
_LOG_INTERVAL_S = 10.0
_MAX_KEPT_LINKS = 8
"""Links for a client alone that are kept open for the next one."""


class Routes(Protocol):
    """The way to the server that has a key."""

    def redirects(self, node: Node, link: Link, request: Request, reply: bytes) -> bool:
        """Return whether a reply that is an error has another server asked, so that it is not the client's."""

    def failed(self, node: Node) -> None:
        """Take note that a server can't be reached, or has closed a connection."""


class Node:
    """One server. Implements `link.Owner`."""

    def __init__(self, settings: Settings, routes: Routes, server: Server) -> None:
        """Connect to nothing yet."""
        self.server = server
        self._settings = settings
        self._routes = routes
        self._shared: dict[int, Link] = {}
        self._kept: dict[int, list[Link]] = {}
        self._own: set[Link] = set()
        self._failures = 0
        self._try_again_s = 0.0
        self._reason = ""
        self._log = RateLimitedLog(log, interval_s=_LOG_INTERVAL_S)
        self._is_known_to_fail = False

    def shared(self, *, resp3: bool, database: int) -> Link | str:
        """Return the link that all clients share, or the reason why there is none at the moment."""
        link = self._shared.get(database << 1 | resp3)
        if link is not None:
            return link
        if self._failures and time.monotonic() < self._try_again_s:
            return self._reason
        link = Link(self._settings, self, self.server, resp3=resp3, database=database)
        self._shared[database << 1 | resp3] = link
        return link

    def take_own(self, *, resp3: bool, database: int) -> Link | str:
        """Return a link for one client alone, who gives it back or closes it; or why there is none."""
        kept = self._kept.get(database << 1 | resp3)
        while kept:
            link = kept.pop()
            if not link.has_ended:
                self._own.add(link)
                return link
        if self._failures and time.monotonic() < self._try_again_s:
            return self._reason
        link = Link(self._settings, self, self.server, resp3=resp3, database=database)
        self._own.add(link)
        return link

    def give_back(self, link: Link) -> None:
        """Keep a link for the next client: it is idle, and the server has no state of the client's."""
        self._own.discard(link)
        link.on_lost = None
        kept = self._kept.setdefault(link.database << 1 | link.resp3, [])
        if len(kept) < _MAX_KEPT_LINKS and link.is_open:
            kept.append(link)
        else:
            link.close()

    def drop_own(self, link: Link) -> None:
        """Close a link of one client."""
        self._own.discard(link)
        link.close()

    @property
    def is_unused(self) -> bool:
        """Whether no request waits for it, and no client has a link."""
        return not self._own and all(link.is_idle for link in self._shared.values())

    def look(self, now_s: float) -> None:
        """End the shared links whose server does not answer. Called about once a second."""
        for link in list(self._shared.values()):
            link.look(now_s)

    def close(self) -> None:
        """Close every link."""
        links = [*self._shared.values(), *self._own, *(link for kept in self._kept.values() for link in kept)]
        self._shared.clear()
        self._kept.clear()
        self._own.clear()
        for link in links:
            link.close()

    # --- of its links

    def opened(self, link: Link) -> None:  # noqa: ARG002  # part of the interface
        self._failures = 0
        if self._is_known_to_fail:
            self._is_known_to_fail = False
            events.kv_server_is_back(log, server=self.server)

    def ended(self, link: Link, reason: str, *, was_open: bool) -> None:
        self._own.discard(link)
        for key, shared in list(self._shared.items()):
            if shared is link:
                del self._shared[key]
        for kept in self._kept.values():
            if link in kept:
                kept.remove(link)
                return  # an idle connection that the server has closed
        now = time.monotonic()
        self._reason = reason
        if not was_open:
            self._failures += 1
            longest = min(_BACK_OFF_S * 2 ** min(self._failures, 10), _MAX_BACK_OFF_S)
            self._try_again_s = now + longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads the workers' attempts
        self._is_known_to_fail = True
        events.kv_server_failed(self._log, server=self.server, reason=reason)
        self._routes.failed(self)

    def redirects(self, link: Link, request: Request, reply: bytes) -> bool:
        return self._routes.redirects(self, link, request, reply)
