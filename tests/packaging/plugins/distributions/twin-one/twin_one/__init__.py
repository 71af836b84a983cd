"""A protocol whose name another distribution uses, too."""

from corepool import Connection, hookimpl


class Twin:
    @hookimpl
    def on_readable(self, conn: Connection) -> None:
        conn.send(conn.recv())
