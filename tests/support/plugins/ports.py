"""Protocols for a port that has several: one that is recognised, and one that speaks first."""

from __future__ import annotations

import os

from corepool import hookimpl


class Mine:
    """Answers each line with the worker's pid and its number."""

    def matches(self, data):
        if data.startswith(b"DIE"):
            os.kill(os.getpid(), 9)
        return True if data.startswith(b"MINE") else None if b"MINE".startswith(data[:4]) else False

    @hookimpl
    def on_accept(self, conn):
        conn.session = 0

    @hookimpl
    def on_readable(self, conn):
        for line in conn.recv().splitlines():
            if line == b"MINE die":
                os.kill(os.getpid(), 9)
            conn.session += 1
            conn.send(b"%d %s %d\n" % (os.getpid(), line, conn.session))

    @hookimpl
    def on_freeze(self, conn):
        return b"%d" % conn.session

    @hookimpl
    def on_thaw(self, conn, state):
        conn.session = int(state)

    @hookimpl
    def on_lost(self, conn):
        conn.send(b"lost mine\n")


class Greeter:
    """Speaks first."""

    @hookimpl
    def on_accept(self, conn):
        conn.send(b"220 welcome\n")

    @hookimpl
    def on_readable(self, conn):
        conn.send(conn.recv())

    @hookimpl
    def on_freeze(self):
        return b""

    @hookimpl
    def on_thaw(self):
        pass
