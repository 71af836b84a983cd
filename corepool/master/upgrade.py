"""Upgrade in place: a new master is executed with the listening sockets, and the old one leaves when it is ready.

The two talk by a channel: the new master says READY when its workers are; if it ends before, the channel does.
So a new version that can't start costs nothing. Until then the old master serves as before; both accept for the
short time in which both are ready. Then the old one's workers hand back what is idle, and the new one gets it by the
channel: the messages are those for workers, but for the number of the socket, which is its place in the list that the
new master was started with.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import subprocess
import sys
import time
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, PeerGoneError
from corepool.ipc.channel import Channel
from corepool.ipc.frozen import pack, unpack
from corepool.ipc.messages import Kind, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, MutableMapping, Sequence

    from corepool.listener import BoundSocket
    from corepool.master.ledger import Handoff
    from corepool.master.loop import Loop, Timer

log = logging.getLogger(__name__)

VARIABLE = "COREPOOL_UPGRADE"
"""The environment variable that tells a new master what it inherits: JSON, the channel, and the sockets by URL."""

_PATIENCE_S = 2.0
"""How long the old master waits for a new one that does not take what it is given: it has little else to do."""


class Successor:
    """The old master's side: a new master that has been executed, until it is ready or has failed."""

    def __init__(
        self,
        loop: Loop,
        bound: Iterable[BoundSocket],
        timeout_s: float,
        on_ready: Callable[[int], None],
        on_failed: Callable[[str], None],
    ) -> None:
        """Execute the same command again, with the sockets.

        :param timeout_s: how long it may take to be ready; then it is killed.
        :param on_ready: called once it serves, with its pid.
        :param on_failed: called once it has ended before that, with the reason. One of the two is called.
        :raises OSError: it can't be executed.
        """
        self._loop = loop
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._channel, theirs = Channel.pair()
        self._is_open = True
        bound = list(bound)
        self._places = {each.index: place for place, each in enumerate(bound)}
        sockets = [(each.endpoint.url, each.socket.fileno()) for each in bound]
        environment = {**os.environ, VARIABLE: json.dumps({"channel": theirs.fd, "sockets": sockets})}
        environment.pop("WATCHDOG_PID", None)  # it is ours; without it, whoever reads the rest is meant
        fds = [theirs.fd, *(fd for _, fd in sockets)]
        try:
            self._process = subprocess.Popen(_command(), env=environment, pass_fds=fds)  # noqa: S603  # as we were
        except OSError:
            self._channel.close()
            raise
        finally:
            theirs.close()
        loop.watch(self._channel.fd, EPOLLIN, self._on_event)
        self._timer: Timer = loop.call_later(timeout_s, self._process.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def sockets(self) -> Collection[int]:
        """The sockets that the new master was given."""
        return self._places.keys()

    def close(self) -> None:
        """Kill one that isn't ready yet, for the pool stops."""
        self._process.kill()
        self._finish()
        self._process.wait()

    def give(self, handoff: Handoff) -> None:
        """Give a connection to the new master once it is ready, and own it; one that it does not take is lost."""
        place = self._places.get(handoff.listener)
        try:
            if place is None:
                log.warning("connection lost: it came in by a socket that the new master does not know")
            elif not self._send(handoff, place):
                log.warning("connection lost: the new master does not take it")
        finally:
            os.close(handoff.fd)

    def release(self) -> None:
        """Let the new master know that nothing more comes. Idempotent."""
        if self._is_open:
            self._is_open = False
            self._channel.close()

    def _send(self, handoff: Handoff, place: int) -> bool:
        if handoff.frozen is None:
            message = Message(Kind.HANDOFF, place, b"\1")
        else:
            message = Message(Kind.THAW, place, pack([handoff.frozen]))
        deadline = time.monotonic() + _PATIENCE_S
        while self._is_open:
            try:
                self._channel.send(message, [handoff.fd])
            except PeerGoneError:
                return False
            except ChannelFullError:
                if not select.select([], [self._channel.fd], [], max(0.0, deadline - time.monotonic()))[1]:
                    return False
                continue
            return True
        return False

    def _on_event(self, mask: int) -> None:  # noqa: ARG002  # its end is read as such
        try:
            received = self._channel.receive()
        except PeerGoneError:
            self._finish()
            status = self._process.wait()  # it has closed its channel, which nothing but its end does
            self._on_failed(f"it ended with status {status}" if status >= 0 else f"it was ended by signal {-status}")
            return
        if received is not None and received[0].kind is Kind.READY:
            self._timer.cancel()
            self._loop.unwatch(self._channel.fd)
            self._on_ready(self._process.pid)

    def _finish(self) -> None:
        self._timer.cancel()
        self._loop.unwatch(self._channel.fd)
        self.release()


class Inheritance:
    """The new master's side: what the old one has left."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take it out of the environment, so that no worker and no later master finds it there."""
        told = json.loads(environment.pop(VARIABLE, "{}"))
        self._channel: Channel | None = None
        if "channel" in told:
            sock = socket.socket(fileno=int(told["channel"]))
            sock.set_inheritable(False)  # a worker's programs would keep it open
            self._channel = Channel(sock)
        self._sockets: list[tuple[str, int]] = [(str(url), int(fd)) for url, fd in told.get("sockets", ())]
        self._places = [fd for _, fd in self._sockets]
        self.is_upgrade = self._channel is not None
        """True when there is an old master."""

    def take(self, url: str) -> socket.socket | None:
        """Take over the socket of a URL, if there is one."""
        for number, (its_url, fd) in enumerate(self._sockets):
            if its_url == url:
                del self._sockets[number]
                sock = socket.socket(fileno=fd)
                sock.set_inheritable(False)
                sock.setblocking(False)
                return sock
        return None

    def close_rest(self) -> None:
        """Close the sockets that the configuration no longer names."""
        for _, fd in self._sockets:
            os.close(fd)
        self._sockets.clear()

    def say_ready(self, loop: Loop, adopt: Callable[[int, int, bytes | None], None]) -> None:
        """Let the old master go.

        :param adopt: given each connection that it leaves to us: the descriptor of the listening socket by which it
            came in, its own, which `adopt` owns, and what the worker knew that had it, or None.
        """
        channel = self._channel
        if channel is None:
            return
        try:
            channel.send(Message(Kind.READY))
        except PeerGoneError:
            pass  # which is read as well
        loop.watch(channel.fd, EPOLLIN, lambda _: self._on_event(channel, loop, adopt))

    def _on_event(self, channel: Channel, loop: Loop, adopt: Callable[[int, int, bytes | None], None]) -> None:
        try:
            received = channel.receive()
        except PeerGoneError:
            loop.unwatch(channel.fd)
            channel.close()
            return
        if received is None:
            return
        message, fds = received
        frozen = unpack(message.payload) if message.kind is Kind.THAW else [None]
        for fd, record in zip(fds, frozen, strict=False):
            adopt(self._places[message.listener], fd, record)


def _command() -> Sequence[str]:
    # As it was started: `corepool`, `python -m corepool`, whatever flags the interpreter had.
    return [sys.executable, *sys.orig_argv[1:]]
