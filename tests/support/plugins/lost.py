import json
import os
import signal

from corepool import hookimpl


class Lost:
    @hookimpl
    def on_accept(self, conn):
        conn.send(b"hello\n")

    @hookimpl
    def on_readable(self, conn):
        if conn.recv():
            os.kill(os.getpid(), signal.SIGKILL)

    @hookimpl
    def on_freeze(self):
        return b""

    @hookimpl
    def on_thaw(self, conn):
        pass

    @hookimpl
    def on_lost(self, conn):
        version = str(conn.facts["proxy"].version)
        conn.send(json.dumps([*conn.peer, conn.local.host, version]).encode())
