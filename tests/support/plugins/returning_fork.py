import os
from pathlib import Path

from corepool import hookimpl


class Returning:
    """Sends the process that serves; and forks once, where a file says so. The child returns, by mistake."""

    def fork(self, hook):
        if Path(hook).exists():
            Path(hook).unlink()
            child = os.fork()
            if child:
                os.waitpid(child, 0)

    @hookimpl
    def on_accept(self, conn):
        self.fork("on_accept")

    @hookimpl
    def on_readable(self, conn):
        self.fork("on_readable")
        if conn.recv():
            conn.send(f"{os.getpid()}\n".encode())
