"""One line in, +PONG out: redis's PING and nothing else."""

from corepool import Connection, hookimpl


class Ping:
    """Answer every line. A line ends with its newline, in whichever piece that arrives: nothing to keep."""

    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(b"+PONG\r\n" * conn.recv().count(b"\n"))

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self) -> None:
        """Do nothing: there is no state."""
