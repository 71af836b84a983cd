"""A stranger's plugins: a protocol, a dispatcher, an extension; and two that are written wrongly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import corepool
from corepool import Connection, Dispatcher, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Incoming, WorkerView


class Shout:
    """Send the received bytes back in capitals."""

    class Options(corepool.Options):
        """How to shout."""

        ending: str = ""
        """Put at the end of each line."""

    try_it = """echo '{"hello": 1}' | nc {host} {port}"""

    def __init__(self, options: Options) -> None:
        self._end = options.ending.encode() + b"\n"

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv().upper().replace(b"\n", self._end))


class HighestSlot(Dispatcher):
    """Choose the last worker, always."""

    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView:  # noqa: ARG002
        return workers[-1]


class Greeting:
    """Send a line to each client before the protocol says anything."""

    class Options(corepool.Options):
        """What to say."""

        text: str
        """The line, without its end."""

    def __init__(self, options: Options) -> None:
        self._line = options.text.encode() + b"\n"

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        conn.send(self._line)


class Misspelt:
    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_acept(self, conn: Connection) -> None:
        conn.send(b"welcome\n")


def shout(text: str) -> str:
    """Be no plugin, although an entry point says so."""
    return text.upper()
