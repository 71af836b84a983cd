from corepool import hookimpl


class Starts:
    @hookimpl
    def on_readable(self, conn):
        conn.recv()

    @hookimpl
    def on_worker_start(self):
        raise ValueError("as asked")


class Stops:
    @hookimpl
    def on_readable(self, conn):
        conn.recv()

    @hookimpl
    def on_worker_stop(self):
        raise ValueError("as asked")


def test_start(connection):
    connection(Starts())


def test_stop(connection):
    connection(Stops())
    connection(Stops())
