from corepool import hookimpl


class Counter:
    frozen_version = 1

    @hookimpl
    def on_accept(self, conn):
        conn.session = 0

    @hookimpl
    def on_readable(self, conn):
        conn.session += conn.recv().count(b"\n")
        conn.send(b"%d\n" % conn.session)

    @hookimpl
    def on_freeze(self, conn):
        return b"%d" % conn.session

    @hookimpl
    def on_thaw(self, conn, state):
        if state == b"13":
            raise ValueError("an unlucky number")
        conn.session = int(state)
