"""The extension `accesslog`: a line for each connection, when it ends.

It should come first in `extensions`: what an extension before it refuses never reaches it.
"""

from __future__ import annotations

import json
import signal
import struct
import time
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from corepool import CloseReason, Options, hookimpl
from corepool.files.lines import LineFile, examine, moment
from corepool_extensions.peers import spell

if TYPE_CHECKING:
    from corepool import Address, Connection, Worker

_MOMENT = struct.Struct("=d")


class AccessLogOptions(Options):
    """[listener.extension_options.accesslog]."""

    format: Literal["text", "json"] = "text"
    """key=value pairs, or one JSON object per line."""

    file: Annotated[str, Field(min_length=1), AfterValidator(examine)] = "-"
    """Where the lines go; "-": standard output. USR1 to a worker reopens it."""


class Ended(NamedTuple):
    """A connection that has ended; `ended_at` in seconds since 1970."""

    ended_at: float
    peer: Address
    listener: str
    protocol: str
    duration_s: float
    bytes_in: int
    bytes_out: int
    reason: CloseReason


class AccessLog:
    """Write a line for each connection."""

    Options = AccessLogOptions

    def __init__(self, options: AccessLogOptions) -> None:
        self._options = options
        self._format = as_json if options.format == "json" else as_text
        self._begun: dict[int, tuple[Address, float]] = {}
        self._protocols: dict[str, str] = {}
        self._file: LineFile | None = None  # the master has none

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._protocols = {listener.name: listener.protocol for listener in worker.listeners}
        self._file = LineFile(self._options.file, worker)

    @hookimpl
    def on_worker_stop(self) -> None:
        assert self._file is not None
        self._file.close()

    @hookimpl
    def on_signal(self, signum: int) -> None:
        if signum == signal.SIGUSR1 and self._file is not None:
            self._file.reopen()

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        # Now, since the kernel forgets the peer of a connection that was reset.
        self._begun[conn.id] = conn.peer, time.monotonic()

    @hookimpl
    def on_freeze(self, conn: Connection) -> bytes:
        _, began_s = self._begun[conn.id]
        return _MOMENT.pack(began_s)

    @hookimpl
    def on_thaw(self, conn: Connection, state: bytes | None) -> None:
        (began_s,) = _MOMENT.unpack(state) if state is not None else (time.monotonic(),)
        self._begun[conn.id] = conn.peer, began_s

    @hookimpl
    def on_close(self, conn: Connection, reason: CloseReason) -> None:
        peer, began_s = self._begun.pop(conn.id)
        if reason is CloseReason.MOVED:
            return  # the worker that holds it at its end writes the line
        name = conn.listener
        assert self._file is not None
        self._file.write(
            self._format(
                Ended(
                    time.time(),
                    peer,
                    name,
                    self._protocols[name],
                    time.monotonic() - began_s,
                    conn.bytes_in,
                    conn.bytes_out,
                    reason,
                )
            )
        )


def as_text(ended: Ended) -> str:
    """Write the line as logfmt, good for `grep` and `cut`."""
    return (
        f"time={moment(ended.ended_at)} peer={spell(ended.peer)} listener={ended.listener} protocol={ended.protocol} "
        f"duration_s={ended.duration_s:.6f} in={ended.bytes_in} out={ended.bytes_out} reason={ended.reason}\n"
    )


def as_json(ended: Ended) -> str:
    """Write the line as an object; the port is null where there is none."""
    line = {
        "time": moment(ended.ended_at),
        "peer": ended.peer.host,
        "port": ended.peer.port,
        "listener": ended.listener,
        "protocol": ended.protocol,
        "duration_s": round(ended.duration_s, 6),
        "in": ended.bytes_in,
        "out": ended.bytes_out,
        "reason": ended.reason,
    }
    return json.dumps(line) + "\n"
