"""The inheritance of a new master at an upgrade: the listening sockets, and the channel to the master before it.

The new master's side of upgrading.py, which says how the two talk.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from select import EPOLLIN
from typing import TYPE_CHECKING, Any

from corepool.config.runtime import Place
from corepool.errors import PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.channel import Channel
from corepool.ipc.messages import Ready, Thaw
from corepool.ipc.new_connections import NewConnections
from corepool.master import events
from corepool.master.shared_counts import SharedCounts
from corepool.master.totals import told_totals
from corepool.spec.transport import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from corepool.ipc.earlier import EarlierBoards
    from corepool.master.loop import Loop

log = logging.getLogger(__name__)

VARIABLE = "COREPOOL_UPGRADE"
"""The environment variable that tells of it: JSON, the channel, the sockets by URL, the orders, its place."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders of operators beside the configuration. They hold over an upgrade, as over a reload."""

    paused: frozenset[str] = frozenset()
    """The listeners that are paused, by name."""
    scaled: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """How many workers each pool is to have, after the fewest and the most that its configuration says."""
    log_level: tuple[int, int] = (logging.NOTSET, logging.NOTSET)
    """The level that its configuration says, and the one that holds."""

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> Orders:
        """Read what `tell` has made; an older corepool may have told less."""
        scaled = told.get("scaled", {}).items()
        return cls(
            frozenset(map(str, told.get("paused", ()))),
            {str(name): (int(fewest), int(most), int(workers)) for name, (fewest, most, workers) in scaled},
            cls._log_level_of(told.get("log_level")),
        )

    @staticmethod
    def _log_level_of(told: object) -> tuple[int, int]:
        match told:
            case [int(configured), int(holds)]:
                return configured, holds
            case _:
                return logging.NOTSET, logging.NOTSET

    def tell(self) -> dict[str, object]:
        """Return them in types that JSON can hold."""
        return {"paused": sorted(self.paused), "scaled": dict(self.scaled), "log_level": self.log_level}


class Inheritance:
    """The old master's sockets, channel and orders."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take it out of the environment, so that no worker and no later master finds it there."""
        told = json.loads(environment.pop(VARIABLE, "{}"))
        self._channel = _channel(told.get("channel"))
        self.bus = _channel(told.get("bus"))
        """To the bus of the old master, for `BusDirectory.link`; None: there is none, or it knows no bus."""
        self._loop: Loop | None = None
        """It watches for connections that are left to us; None: none are to come, or not yet."""
        sockets = [(str(url), int(fd), "".join(name)) for url, fd, *name in told.get("sockets", ())]
        self.places = [(name, Endpoint.parse(url)) for url, _, name in sockets]
        """The listeners and addresses that the sockets were bound for."""
        self._fds = [fd for _, fd, _ in sockets]
        """Their descriptors, by place; -1: closed, and the number may be another's."""
        self._untaken = set(range(len(sockets)))
        self.is_upgrade = self._channel is not None
        """True when there is an old master."""
        self.orders = Orders.told(told.get("orders", {}))
        """The orders that it was given."""
        self._told_totals = told.get("totals"), told.get("boards")
        self._told = told
        self.place = place_told(told.get("place"))
        """Its name, and where commands find it; None: it has told of none."""

    def take_totals(self) -> EarlierBoards:
        """Take over the counts of the masters before this one. Once; the caller owns them."""
        return told_totals(*self._told_totals)

    def take_shared_counts(self) -> SharedCounts:
        """Take over the counts that workers share, or make them. Once; the caller owns them.

        :raises OSError: the system refuses.
        """
        return SharedCounts(self._told)

    def take(self, place: int) -> socket.socket:
        """Take over a socket, by its position in `places`. Once; the caller owns it."""
        self._untaken.remove(place)
        sock = socket.socket(fileno=self._fds[place])
        sock.set_inheritable(False)
        sock.setblocking(False)
        return sock

    def close_rest(self) -> None:
        """Close the sockets that the configuration no longer names."""
        for place in self._untaken:
            release(self._fds[place])
            self._fds[place] = -1
        self._untaken.clear()

    @property
    def is_open(self) -> bool:
        """True while the old master may still leave connections to us."""
        return self._loop is not None

    def close(self) -> None:
        """Take nothing more. Idempotent."""
        if self._loop is not None and self._channel is not None:
            self._loop.unwatch(self._channel.fd)
            self._channel.close()
            self._loop = None

    def say_ready(
        self, loop: Loop, adopt: Callable[[int, int, bytes | None], None], on_gone: Callable[[], None]
    ) -> None:
        """Let the old master go.

        :param adopt: given, for each connection that it leaves to us, the descriptor of the listening socket by which
            it came in, its own descriptor, which `adopt` owns, and what its worker knew of it, or None.
        :param on_gone: called when the old master has ended.
        """
        channel = self._channel
        if channel is None:
            return
        try:
            channel.send(Ready())
        except PeerGoneError:
            pass  # which is read as well
        self._loop = loop
        loop.watch(channel.fd, EPOLLIN, lambda _: self._on_event(channel, adopt, on_gone))

    def _on_event(
        self, channel: Channel, adopt: Callable[[int, int, bytes | None], None], on_gone: Callable[[], None]
    ) -> None:
        try:
            received = channel.receive_whole()
        except OSError as error:  # EMFILE, ENOMEM
            if self._loop is not None:
                self._loop.rest(channel.fd, EPOLLIN)
            events.old_master_not_read(log, reason=error)
            return
        except PeerGoneError:
            self.close()
            on_gone()
            return
        if received is None:
            return
        message, fds = received
        frozen: Sequence[bytes | None] = ()
        listening_fd = -1
        if isinstance(message, NewConnections | Thaw) and message.socket < len(self._fds):
            frozen = message.records if isinstance(message, Thaw) else (None,) * message.connections
            listening_fd = self._fds[message.socket]
        for fd in fds[len(frozen) :]:
            release(fd)
        for fd, record in zip(fds, frozen, strict=False):
            try:
                os.set_blocking(fd, False)  # our workers rely on it; a master of another version may not have
            except OSError as error:
                release(fd)
                events.left_connection_closed(log, reason=error)
                continue
            adopt(listening_fd, fd, record)


def _channel(fd: int | None) -> Channel | None:
    if fd is None:
        return None
    sock = socket.socket(fileno=fd)
    sock.set_inheritable(False)  # a worker's programs would keep it open
    return Channel(sock)


def place_told(told: object) -> Place | None:
    """Read what `Place.tell` has made; None: another corepool has told of none, or in another way."""
    match told:
        case [str(name), str(path), str(wanted), bool(is_listed)]:
            return Place(name, Path(path), wanted=wanted, is_listed=is_listed)
        case _:
            return None
