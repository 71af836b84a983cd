import asyncio
import os
import socket

from corepool import hookimpl


class Lab:
    def __init__(self):
        self.first = self.unread = None

    @hookimpl
    def on_worker_start(self, worker):
        self.loop = worker.loop

    @hookimpl
    def on_accept(self, conn):
        conn.session = {"buffer": b"", "left": 0}

    @hookimpl
    def on_readable(self, conn):
        if conn is self.unread and not os.path.exists("read-on"):
            return
        data = conn.recv()
        with open("received", "ab") as file:
            file.write(data)
        *lines, conn.session["buffer"] = (conn.session["buffer"] + data).split(b"\n")
        for line in lines:
            word, *arguments = line.decode().split()
            getattr(self, word)(conn, *arguments)
        if conn.eof and conn.half_open:
            self.loop.call_later(0.05, self.late, conn)

    def late(self, conn):
        conn.send(b"late")
        conn.close()

    def read_late(self, conn, what):
        conn.pause()
        conn.send(b"paused\n")
        self.loop.call_soon(self.read_now, conn, what)

    def read_now(self, conn, what):
        conn.recv()
        if what != "eof":
            getattr(conn, what)()
        elif not conn.eof:
            self.loop.call_later(0.01, self.read_now, conn, what)

    def echo(self, conn, text):
        conn.send(text.encode() + b"\n")

    def file(self, conn, size):
        with open("blob", "wb") as file:
            file.write(b"f" * int(size))
        conn.send(b"<")
        with open("blob", "rb") as file:
            conn.sendfile(file, 1, int(size) - 1)
        conn.send(b">")
        with open("blob", "rb") as file:
            conn.sendfile(file, 0, 1)
        conn.send(b".")

    def short(self, conn):
        with open("tiny", "wb") as file:
            file.write(b"tiny")
        with open("tiny", "rb") as file:
            conn.sendfile(file, 0, 1000)

    def half(self, conn):
        conn.half_open = True

    def finish(self, conn, size):
        conn.half_open = True
        conn.send(b"f" * int(size))
        conn.send_eof()

    def marks(self, conn):
        conn.watermarks(0, 0)
        conn.send(b"m")
        conn.session["after"] = b"congested\n" if conn.congested else b"not\n"

    def number(self, conn):
        with socket.socket(fileno=os.dup(conn.fileno())) as sock:
            conn.send(b"%d\n" % (sock.getpeername() is not None))

    def pause(self, conn, seconds):
        conn.pause()
        self.loop.call_later(float(seconds), conn.resume)

    def deadline(self, conn):
        conn.deadline(0.1)

    @hookimpl
    def on_timeout(self, conn, kind):
        if kind == "read":
            conn.send(b"timeout\n")
            return True

    def leave(self, conn, *_):
        self.unread = conn

    def push(self, conn, count):
        if int(count):
            conn.send(b".")
            self.loop.call_later(0.05, self.push, conn, int(count) - 1)

    def stream(self, conn, size):
        conn.session["left"] = int(size)
        self.on_writable(conn)

    @hookimpl
    def on_writable(self, conn):
        conn.send(conn.session.pop("after", b""))
        while conn.session["left"] and not conn.congested:
            count = min(50_000, conn.session["left"])
            conn.session["left"] -= count
            conn.send(b"s" * count)

    def task(self, conn):
        async def later():
            await asyncio.sleep(0.01)
            conn.send(b"from a task\n")

        self.running = self.loop.create_task(later())

    def remember(self, conn):
        self.first = conn
        conn.send(b"remembered\n")

    def ghost(self, conn):
        conn.send(b"%s %s\n" % (self.first.recv(), str(self.first.peer).encode()))

    def tell(self, conn, text):
        self.first.send(text.encode() + b"\n")

    def evict(self, conn):
        self.first.close()

    def close(self, conn):
        conn.send(b"bye")
        conn.close()
        conn.send(b"never sent")

    def abort(self, conn):
        conn.send(b"never sent")
        conn.abort()

    def overflow(self, conn):
        for _ in range(100):
            conn.send(b"o" * 10_000)

    def number_of_bytes(self, conn):
        try:
            conn.send(5)
        except TypeError as error:
            conn.send(str(error).encode() + b"\n")

    def mutable(self, conn):
        data = bytearray(b"before\n")
        conn.send(data)
        data[:] = b"after!\n"

    @hookimpl
    def on_close(self, conn, reason):
        with open("reasons", "a") as file:
            print(reason, conn.peer, file=file)
