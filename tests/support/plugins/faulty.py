import asyncio
import contextvars
import http.server
import os
import time
from pathlib import Path

from corepool import hookimpl
from corepool.streams import BlockingProtocol, StreamProtocol

seen = contextvars.ContextVar("seen", default=0)


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)


class Lines(StreamProtocol):
    input_limit = 1000

    async def handle(self, stream):
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                stream.write(b"too long\n")
                continue
            if not line:
                return
            match line.strip():
                case b"interrupt":
                    raise KeyboardInterrupt
                case b"cancelled":
                    future = asyncio.get_running_loop().create_future()
                    future.cancel()
                    await future
                case b"group":
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self.fail())
                case b"part":
                    Path("waiting").touch()
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self.read_part(stream))
                case b"body":
                    stream.write(b"length\n")
                    length = int(await stream.readline(begun=True))
                    Path("begun").touch()
                    stream.write((await stream.readexactly(length, begun=True)).upper())
                case b"patience":
                    for _ in range(2):
                        try:
                            async with stream.deadline(0.05):
                                await stream.readexactly(4000)
                        except TimeoutError:
                            stream.write(b"not yet\n")
                    stream.write(await stream.readexactly(4000))
                case b"after the end":
                    while await stream.readline():
                        pass
                    raise ConnectionResetError("by the database")
                case _:
                    stream.write(line)

    async def fail(self):
        raise BaseException("of a part")

    async def read_part(self, stream):
        await stream.readexactly(10)


class Threads(BlockingProtocol):
    input_limit = 1000

    def handle(self, stream):
        while True:
            try:
                line = stream.readline()
            except ValueError:
                stream.sendall(b"too long\n")
                continue
            if not line:
                return
            match line.strip():
                case b"interrupt":
                    raise KeyboardInterrupt
                case b"cancelled":
                    asyncio.run(self.cancelled())
                case b"group":
                    raise BaseExceptionGroup("parts", [BaseException("of a part")])
                case b"part":
                    Path("waiting").touch()
                    try:
                        stream.readexactly(10)
                    except EOFError as error:
                        raise ExceptionGroup("parts", [error])
                case b"body":
                    stream.sendall(b"length\n")
                    length = int(stream.readline(begun=True))
                    Path("begun").touch()
                    stream.sendall(stream.readexactly(length, begun=True).upper())
                case b"patience":
                    stream.settimeout(0.05)
                    for _ in range(2):
                        try:
                            stream.readexactly(4000)
                        except TimeoutError:
                            stream.sendall(b"not yet\n")
                    stream.settimeout(None)
                    stream.sendall(stream.readexactly(4000))
                case b"after the end":
                    while stream.readline():
                        pass
                    raise ConnectionResetError("by the database")
                case _:
                    stream.sendall(line)

    async def cancelled(self):
        asyncio.current_task().cancel()
        await asyncio.sleep(1)


class Apart(StreamProtocol):
    """Reads in one task, and answers in another."""

    async def handle(self, stream):
        async with asyncio.TaskGroup() as group:
            async for line in stream:
                group.create_task(self.answer(stream, line))

    async def answer(self, stream, line):
        with stream.busy():
            Path("answering").touch()
            while not os.path.exists("answer"):
                await asyncio.sleep(0.01)
            stream.write(line)


class Counted(BlockingProtocol):
    def handle(self, stream):
        head = stream.rfile.read(4)
        Path("begun").touch()
        try:
            Path("body").write_bytes(stream.rfile.read(int(head)))
        except ConnectionResetError as error:
            Path("cut").write_text(str(error))
            raise


class Late(BlockingProtocol):
    """Has its reply ready while the loop is held up."""

    def handle(self, stream):
        for line in stream:
            Path("taken").touch()
            wait_for("drained")
            stream.sendall(line)
            Path("replied").touch()


class SlowGoodbye:
    @hookimpl
    def on_readable(self, conn):
        conn.recv()

    @hookimpl
    def on_drain(self, conn):
        Path("drained").touch()
        wait_for("replied")
        time.sleep(0.4)  # the other connection is quiet for long enough to be closed at the next look


class Payments(BlockingProtocol):
    def handle(self, stream):
        for line in stream:
            if line == b"slow\n":
                Path("slow").touch()
                wait_for("end")
                return
            Path("paid").touch()


class Sleepers(BlockingProtocol):
    def handle(self, stream):
        stream.readline()
        Path(f"asleep-{stream.listener}").touch()
        time.sleep(1000)


class Unwilling(StreamProtocol):
    async def handle(self, stream):
        await stream.readline()
        Path("asleep").touch()
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                pass


class Last:
    @hookimpl
    def on_readable(self, conn):
        conn.recv()

    @hookimpl
    def on_worker_stop(self):
        Path("stopped").touch()


class Context(BlockingProtocol):
    def handle(self, stream):
        stream.sendall(b"%d\n" % seen.get())
        seen.set(1)


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        Path("begun").touch()
        content = self.rfile.read(int(self.headers["Content-Length"])).upper()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass
