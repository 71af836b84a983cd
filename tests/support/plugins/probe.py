import os
import signal
import subprocess
import sys
import time

from corepool import hookimpl


class Probe:
    def __init__(self):
        self.loop = None

    @hookimpl
    def on_worker_start(self, worker):
        self.loop = worker.loop
        while os.path.exists("wait-to-boot"):
            open(f"waits-{os.getpid()}", "w").close()
            time.sleep(0.01)
        if os.path.exists("refuse-to-boot"):
            raise RuntimeError("told not to boot")

    @hookimpl
    def on_worker_stop(self, worker):
        while os.path.exists("wait-to-stop"):
            open("stops", "w").close()
            time.sleep(0.01)
        open("stopped", "w").close()

    @hookimpl
    def on_accept(self, conn):
        conn.session = b""

    @hookimpl
    def on_readable(self, conn):
        *lines, conn.session = (conn.session + conn.recv()).split(b"\n")
        for line in lines:
            getattr(self, "do_" + line.split()[0].decode(), self.echo)(conn, line)

    def echo(self, conn, line):
        conn.send(line + b"\n")

    def do_pid(self, conn, line):
        conn.send(b"%d\n" % os.getpid())

    def do_crash(self, conn, line):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_lie(self, conn, line):
        # As a C extension does that writes where it shouldn't: into the counters that the master reads.
        counts = conn.site.owner._counts
        counts._received += 1000
        counts._cells[0] = counts._received
        conn.send(b"lied\n")

    def do_spin(self, conn, line):
        while True:
            pass

    def do_grind(self, conn, line):
        sum(range(10**12))  # no signal handler runs meanwhile

    def do_sleep(self, conn, line):
        time.sleep(10**6)

    def do_raise(self, conn, line):
        raise ValueError("asked to raise")

    def do_work(self, conn, line):
        conn.busy = True
        self.loop.call_later(float(line.split()[1]), self.finish, conn)

    def finish(self, conn):
        conn.send(b"done\n")
        conn.busy = False

    def do_pause(self, conn, line):
        conn.pause()
        self.loop.call_later(float(line.split()[1]), conn.resume)

    def do_last(self, conn, line):
        conn.send(b"x" * 100_000)
        conn.close()

    def do_environment(self, conn, line):
        conn.send(os.environ.get(line.split()[1].decode(), "-").encode() + b"\n")

    def do_fds(self, conn, line):
        names = []
        for fd in sorted(int(name) for name in os.listdir("/proc/self/fd")):
            try:
                names.append(os.readlink(f"/proc/self/fd/{fd}"))
            except OSError:
                pass
        conn.send(" ".join(names).encode() + b"\n")

    def do_inherited(self, conn, line):
        code = "import os; print(*[fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')])"
        out = subprocess.run([sys.executable, "-c", code], close_fds=False, stdout=subprocess.PIPE).stdout
        conn.send(out)

    def do_orphan(self, conn, line):
        out = subprocess.run(["sh", "-c", "sleep 0.2 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE).stdout
        conn.send(out)


class Record:
    def write(self, *words):
        with open("hooks.txt", "a") as file:
            print(*words, file=file)

    @hookimpl
    def on_start(self, pool):
        self.write("on_start", pool.workers)

    @hookimpl
    def on_ready(self, pool):
        self.write("on_ready", *pool.bind)

    @hookimpl
    def on_child_exit(self, worker, exit):
        self.write("on_child_exit", worker.slot, exit.cause, exit)

    @hookimpl
    def on_signal(self, signum):
        self.write("on_signal", signal.Signals(signum).name)

    @hookimpl
    def on_stop(self, pool):
        self.write("on_stop")

    @hookimpl
    def on_close(self, conn, reason):
        self.write("on_close", reason)
