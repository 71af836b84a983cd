"""The extension example-plugin: it refuses connections while its worker has enough of them on the listener."""

from __future__ import annotations

from typing import Annotated

import corepool
from corepool import Connection, hookimpl
from pydantic import Field


class ExamplePlugin:
    """Refuse connections that come while `most` others are open.

    One instance per listener, in the master; each worker has a copy of it. `conn.session` is the protocol's: what an
    extension knows of a connection it keeps by `conn.id`.
    """

    class Options(corepool.Options):
        """The keys of [listener.extension_options.example-plugin]; `corepool check` reports mistakes in them."""

        most: Annotated[int, Field(gt=0)] = 1000
        """Connections that may be open at once, in each worker."""

    def __init__(self, options: Options) -> None:
        self._most = options.most
        self._open: set[int] = set()

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        """Count a connection, or refuse it: who stands behind is not asked then."""
        if len(self._open) >= self._most:
            conn.abort()
        else:
            self._open.add(conn.id)

    @hookimpl
    def on_close(self, conn: Connection) -> None:
        """Forget it. One that was refused is told of, too."""
        self._open.discard(conn.id)

    @hookimpl
    def on_freeze(self) -> bytes:
        """Let a connection go on in another worker, which needs to know nothing of it."""
        return b""

    @hookimpl
    def on_thaw(self, conn: Connection) -> None:
        """Count a connection that began in another worker; it was let in there."""
        self._open.add(conn.id)
