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
        data = conn.recv()
        if data:
            conn.send(f"{os.getpid()}\n".encode())
        if data == b"once":
            conn.close()

    @hookimpl
    def on_close(self):
        self.fork("on_close")
