"""The protocol example-plugin: it answers each line with the same line in capitals."""

from __future__ import annotations

from typing import Annotated

import corepool
from corepool import Connection, hookimpl
from pydantic import Field


class ExamplePlugin:
    """Answer each line in capitals.

    One instance per listener, in the master; each worker has a copy of it. What belongs to one connection is its
    `conn.session`.
    """

    class Options(corepool.Options):
        """The keys of [listener.options]; `corepool check` reports mistakes in them."""

        prefix: str = ""
        """Put before each answer."""

        longest_line: Annotated[int, Field(gt=0)] = 65_536
        """Bytes. Who sends more without a line break is cut off, or one client could fill the memory."""

    try_it = "printf 'hello\\n' | nc -N {host} {port}"

    def __init__(self, options: Options) -> None:
        self._prefix = options.prefix.encode()
        self._longest_line = options.longest_line

    def matches(self, data: bytes) -> bool | None:
        """Return whether a connection's first bytes are a line of text; None: more of them are needed to tell.

        Asked where a listener has several `protocols` on one port. Say no to bytes of the others, as soon as you can.
        """
        line, end, _ = data.partition(b"\n")
        if not line.rstrip(b"\r").isalpha():
            return False
        return True if end else None

    @hookimpl
    def on_accept(self, conn: Connection[bytes]) -> None:
        """Begin with nothing read."""
        conn.session = b""

    @hookimpl
    def on_readable(self, conn: Connection[bytes]) -> None:
        """Answer the lines that are complete, and keep the rest: a line may come in any number of pieces."""
        *lines, rest = (conn.session + conn.recv()).split(b"\n")
        if lines:
            conn.send(b"".join(self._prefix + line.upper() + b"\n" for line in lines))
        if len(rest) > self._longest_line:
            conn.abort()
        conn.session = rest

    @hookimpl
    def on_freeze(self, conn: Connection[bytes]) -> bytes:
        """Return the state that another worker needs, so that connections stay open across a reload."""
        return conn.session

    @hookimpl
    def on_thaw(self, conn: Connection[bytes], state: bytes) -> None:
        """Go on with a connection that began in another worker."""
        conn.session = state
