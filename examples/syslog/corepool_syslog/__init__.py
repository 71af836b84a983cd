"""A syslog collector: messages over TCP go to SQLite.

Each chunk is stored before another is read. So a slow database makes its senders wait, and nothing piles up; and a
worker that leaves has stored everything that it has read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from corepool import Worker, hookimpl
from corepool.streams import BlockingOptions, BlockingProtocol
from corepool_syslog.framing import Frames
from corepool_syslog.store import Store

if TYPE_CHECKING:
    from corepool.streams import BlockingStream

__all__ = ["Syslog", "SyslogOptions"]

_CHUNK = 65_536
"""Bytes that are read, and stored in one transaction, at most."""


class SyslogOptions(BlockingOptions):
    """[listener.options] of protocol = "syslog"."""

    database: Path = Path("syslog.db")
    """The file. It is made if it is not there."""

    max_message: Annotated[int, Field(ge=480, le=1_000_000)] = 8192
    """Bytes of a message; longer ones are cut. RFC 5424 demands 480, and recommends 2048."""


class Syslog(BlockingProtocol):
    """Store what senders send. Nothing is answered: the protocol has no answers."""

    Options: ClassVar[type[BlockingOptions]] = SyslogOptions

    try_it = "logger --server {host} --port {port} --tcp hello"

    def __init__(self, options: SyslogOptions) -> None:
        super().__init__(options)
        self._database = options.database
        self._max_message = options.max_message

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        """Open the database: here, and not in the master, since SQLite's connections don't survive a fork."""
        super().on_worker_start(worker)
        self._store = Store(self._database)

    @hookimpl
    def on_worker_stop(self) -> None:
        """Close it, when the threads have ended."""
        super().on_worker_stop()
        self._store.close()

    def handle(self, stream: BlockingStream) -> None:
        """Serve one sender."""
        frames, peer = Frames(self._max_message), str(stream.peer)
        try:
            while chunk := stream.recv(_CHUNK, begun=frames.begun):
                self._store.write(peer, frames.feed(chunk))
        finally:
            # A message without its end is kept, too: it may be the sender's last.
            self._store.write(peer, [rest] if (rest := frames.end()) else [])
