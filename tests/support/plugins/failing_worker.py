import time
from pathlib import Path

from corepool import hookimpl


class Failing:
    @hookimpl
    def on_worker_start(self, worker):
        self.worker = worker
        if Path("takes its time").exists():
            before_s = worker.boot_s()
            time.sleep(0.2)
            Path("left").write_text(f"{worker.boot_timeout} {before_s} {worker.boot_s()}")
        if Path("at start").exists():
            worker.fail(ValueError("not there at the start"))

    @hookimpl
    def on_readable(self, conn):
        match conn.recv():
            case b"fail":
                conn.busy = True
                conn.send(b"failing")
                self.worker.fail(ValueError("not there any more"))
                self.worker.fail(ValueError("told twice"))
            case b"ping":
                conn.send(b"pong")
            case b"fail at once":
                self.worker.fail(ValueError("not there any more"))
                conn.send(b"failed")
            case b"go on":
                conn.send(b"goes on")
                conn.busy = False

    @hookimpl
    def on_worker_stop(self):
        Path("stopped").touch()
