"""The master's end of the channels of one pool: what workers send is received, as soon as there is room for it."""

from __future__ import annotations

import logging
from select import EPOLLIN
from typing import TYPE_CHECKING

from corepool.errors import GarbageError, PeerGoneError
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master import events
from corepool.master.states import State
from corepool.spec.types import ExitCause

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.ipc.messages import Message
    from corepool.master.loop import Loop
    from corepool.master.workers import WorkerEntry

log = logging.getLogger(__name__)

_MUTE_S = 2.0
"""How long a worker may live after it has closed its channel."""


class Hearing:
    """Receives the messages of workers."""

    def __init__(
        self,
        loop: Loop,
        on_message: Callable[[WorkerEntry, Message, list[int]], None],
        kill: Callable[[WorkerEntry, ExitCause], None],
        expire: Callable[[WorkerEntry, float, Callable[[], None]], None],
    ) -> None:
        """Hear no worker yet.

        :param on_message: called with each message; owns the descriptors that come with it.
        :param kill: ends a worker.
        :param expire: sets the deadline of a worker: some seconds, and the call that is made then.
        """
        self._loop = loop
        self._on_message = on_message
        self._kill = kill
        self._expire = expire
        self._rate_limited = RateLimitedLog(log)
        self._unheard: list[WorkerEntry] = []
        self.may_speak: Callable[[WorkerEntry], bool] = lambda _: True
        """Whether the messages of a worker are received now; the others wait in its channel, until `listen`."""

    def ignore(self, entry: WorkerEntry) -> None:
        """Hear a worker no more, but by `hear_out`."""
        self._loop.unwatch(entry.channel.fd)
        self._unheard = [each for each in self._unheard if each is not entry]

    def _read_channel(self, entry: WorkerEntry) -> None:
        if not self.may_speak(entry):
            self._loop.unwatch(entry.channel.fd)
            self._unheard.append(entry)
            return
        try:
            received = entry.channel.receive_whole()
        except OSError as error:  # EMFILE, ENOMEM
            self._loop.rest(entry.channel.fd, EPOLLIN)
            events.worker_not_read(self._rate_limited, slot=entry.name, pid=entry.pid, reason=error)
            return
        except PeerGoneError:
            # It has died, or will be killed at its deadline; the pidfd tells. EOF would be reported for ever.
            self._loop.unwatch(entry.channel.fd)
            if entry.state is State.READY:
                self._expire(entry, _MUTE_S, lambda: self._on_mute(entry))
            return
        except GarbageError as error:
            self._on_garbage(entry, error)
            return
        if received is not None:
            self._hear_message(entry, *received)

    def hear_out(self, entry: WorkerEntry) -> None:
        """Hear a dead worker's last words.

        :raises OSError: ENOMEM and the like: not now.
        """
        while True:
            try:
                received = entry.channel.receive()
            except PeerGoneError:
                return
            except GarbageError as error:
                self._on_garbage(entry, error)
                continue
            if received is None:
                return
            self._hear_message(entry, *received)

    def _hear_message(self, entry: WorkerEntry, message: Message, fds: list[int]) -> None:
        try:
            self._on_message(entry, message, fds)
        except GarbageError as error:
            self._on_garbage(entry, error)

    def _on_mute(self, entry: WorkerEntry) -> None:
        """End a worker that lives though its channel is closed: it can neither take connections nor leave."""
        events.worker_killed(log, slot=entry.name, pid=entry.pid, reason="it has closed its channel")
        self._kill(entry, ExitCause.CRASH)

    def _on_garbage(self, entry: WorkerEntry, error: GarbageError) -> None:
        """End a worker that says what no worker says: something in it has written to a descriptor that isn't its own.

        What it was sent and has not taken is another's then, as after any death.
        """
        if entry.state is not State.GONE and entry.intended is not ExitCause.CRASH:
            events.worker_killed(log, slot=entry.name, pid=entry.pid, reason=f"it sent garbage: {error}")
            self._kill(entry, ExitCause.CRASH)

    def listen(self) -> None:
        """Hear again the workers that had to wait."""
        unheard, self._unheard = self._unheard, []
        for entry in unheard:
            self.watch(entry)

    def watch(self, entry: WorkerEntry) -> None:
        """Hear a worker from now on."""
        self._loop.watch(entry.channel.fd, EPOLLIN, lambda _: self._read_channel(entry))
