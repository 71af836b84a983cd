import os
import sys

from corepool import hookimpl


class Raises:
    @hookimpl
    def on_worker_start(self, worker):
        self.worker = worker

    @hookimpl
    def on_readable(self, conn):
        for word in conn.recv().decode().split():
            getattr(self, word)(conn)

    @hookimpl
    def on_close(self, conn, reason):
        if conn.session:
            conn.session()

    @hookimpl
    def on_timeout(self, conn, kind):
        self.failure(conn)

    def pid(self, conn):
        conn.send(b"%07d" % os.getpid())

    def exit(self, conn):
        self.failure = lambda conn: sys.exit("as asked")

    def cancel(self, conn):
        future = self.worker.loop.create_future()
        future.cancel()
        self.failure = lambda conn: future.result()

    def quit(self, conn):
        def fail(conn):
            raise GeneratorExit

        self.failure = fail

    def group(self, conn):
        def fail(conn):
            raise BaseExceptionGroup("as asked", [GeneratorExit()])

        self.failure = fail

    def now(self, conn):
        self.failure(conn)

    def at_the_end(self, conn):
        conn.session = lambda: self.failure(conn)
        conn.close()

    def later(self, conn):
        conn.deadline(0.01)

    def after_the_batch(self, conn):
        self.worker.at_batch_end(lambda: self.failure(conn))
        conn.close()

    def send_later(self, conn):
        self.worker.loop.call_soon(conn.send, b"poison")


class Counts:
    @hookimpl
    def on_close(self, conn, reason):
        with open("reasons", "a") as file:
            print(reason, file=file)
