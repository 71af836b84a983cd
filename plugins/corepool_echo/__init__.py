"""The echo protocol (RFC 862): everything that comes in goes out again. The smallest protocol there is."""

from __future__ import annotations

from corepool import Connection, hookimpl

__all__ = ["Echo"]


class Echo:
    """Send every received byte back."""

    default_port = 7007

    try_it = "printf 'hello\\n' | nc -N {host} {port}"

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self) -> None:
        """Do nothing: there is no state."""
