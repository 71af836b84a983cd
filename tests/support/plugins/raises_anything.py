import asyncio
import ctypes
import gc
import os
import signal
import socketserver
import threading
import weakref

from corepool import Dispatcher, Layer, hookimpl
from corepool.streams import BlockingProtocol, StreamProtocol
from corepool_tcp import Tcp


class Panic(BaseException):
    """As of pyo3, or gevent's Timeout."""


MAKE = {
    "panic": Panic,
    "interrupt": KeyboardInterrupt,
    "exit": SystemExit,
    "generator": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "group": lambda text: BaseExceptionGroup(text, [KeyboardInterrupt()]),
    "memory": MemoryError,
    "recursion": RecursionError,
}


def fail(case):
    raise MAKE[case.split(":")[1]](case)


wanted = set()
signalled = []


def maybe(place):
    for case in [case for case in wanted if case.startswith(place + ":")]:
        wanted.discard(case)
        fail(case)


class Raises:
    @hookimpl
    def on_worker_start(self, worker):
        self.worker = worker
        signal.signal(signal.SIGRTMIN, lambda *_: fail(signalled[-1]))
        worker.loop.add_signal_handler(signal.SIGRTMIN + 1, lambda: fail(signalled[-1]))

    @hookimpl
    def on_accept(self, conn):
        maybe("on_accept")

    @hookimpl
    def on_readable(self, conn):
        for word in conn.recv().decode().split():
            if word == "pid":
                gc.collect()  # of tasks whose failure was not asked for
                conn.send(b"%07d" % os.getpid())
            elif word.startswith("next/"):
                wanted.add(word.removeprefix("next/"))
                conn.send(b"0")
            elif word:
                self.raise_in(conn, word)

    def raise_in(self, conn, case):
        place, loop = case.split(":")[0], self.worker.loop
        match place:
            case "on_readable":
                fail(case)
            case "on_close":
                wanted.add(case)
                conn.close()
            case "on_timeout":
                wanted.add(case)
                conn.deadline(0.001)
            case "on_writable":
                wanted.add(case)
                conn.watermarks(1, 0)
                conn.send(b"more than one")
            case "an-extension-on_close" | "layer-finish":
                wanted.add(case)
                conn.close()
            case "layer-sent" | "layer-output":
                wanted.add(case)
                conn.send(b"poison")
            case "a-signal-handler":
                signalled.append(case)
                os.kill(os.getpid(), signal.SIGRTMIN)
            case "the-batch-end":
                self.worker.at_batch_end(lambda: fail(case))
            case "a-callback":
                loop.call_soon(fail, case)
            case "a-timer":
                loop.call_later(0.001, fail, case)
            case "a-call-of-a-thread":
                threading.Thread(target=lambda: loop.call_soon_threadsafe(fail, case)).start()
            case "a-task":
                loop.create_task(self.task(case))
            case "a-group-of-tasks":
                loop.create_task(self.group(case))
            case "an-executor":
                loop.create_task(self.executor(case))
            case "a-future-callback":
                future = loop.create_future()
                future.add_done_callback(lambda _: fail(case))
                future.set_result(None)
            case "a-signal-of-the-loop":
                signalled.append(case)
                os.kill(os.getpid(), signal.SIGRTMIN + 1)
            case "a-thread":
                threading.Thread(target=fail, args=(case,)).start()
            case "the-handler-of-exceptions":

                def handle(loop, context):
                    loop.set_exception_handler(None)
                    fail(case)

                loop.set_exception_handler(handle)
                loop.call_soon(loop.call_exception_handler, {"message": "as asked"})
            case "a-finalizer":

                class Ends:
                    def __del__(self):
                        fail(case)

                Ends()
            case "a-weak-reference":

                class Target:
                    pass

                target = Target()
                reference = weakref.ref(target, lambda _: fail(case))
                del target

    @hookimpl
    def on_writable(self, conn):
        maybe("on_writable")

    @hookimpl
    def on_timeout(self, conn, kind):
        maybe("on_timeout")

    @hookimpl
    def on_close(self, conn, reason):
        maybe("on_close")

    async def task(self, case):
        fail(case)

    async def group(self, case):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.task(case))

    async def executor(self, case):
        await self.worker.loop.run_in_executor(None, fail, case)


class Extends:
    @hookimpl
    def on_accept(self, conn):
        maybe("an-extension-on_accept")

    @hookimpl
    def on_close(self, conn, reason):
        maybe("an-extension-on_close")


class Fragile(Layer):
    is_open = True

    def received(self, data):
        maybe("layer-received")
        return data

    def sent(self, data):
        maybe("layer-sent")
        return data

    def output(self):
        maybe("layer-output")
        return b""

    def finish(self):
        maybe("layer-finish")


class Brittle(Tcp):
    def layers(self, peer):
        maybe("layers")
        return [Fragile()]


class Picks(Dispatcher):
    def pick(self, workers, incoming):
        return workers[0]


class Coroutines(StreamProtocol):
    async def handle(self, stream):
        case = (await stream.readline()).decode().strip()
        stream.write(b"0")
        if case.startswith("a-task-of-a-coroutine"):
            async with asyncio.TaskGroup() as group:
                group.create_task(self.task(case))
        fail(case)

    async def task(self, case):
        fail(case)


class Threads(BlockingProtocol):
    def handle(self, stream):
        case = stream.readline().decode().strip()
        stream.sendall(b"0")
        if case.startswith("raised-by-another-thread"):

            class Asked(MAKE["panic"] if "group" in case else type(MAKE[case.split(":")[1]](case))):
                def __str__(self):
                    return case

            ident = ctypes.c_ulong(threading.get_ident())
            threading.Thread(
                target=lambda: ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Asked))
            ).start()
            while True:
                pass
        fail(case)


class Hosted(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        maybe("connection_made")

    def data_received(self, data):
        case = data.decode().strip()
        wanted.add(case)
        self.transport.write(b"0")
        maybe("data_received")
        if "_writing" in case:
            self.transport.set_write_buffer_limits(0)
            self.transport.write(b"1")

    def pause_writing(self):
        maybe("pause_writing")

    def resume_writing(self):
        maybe("resume_writing")

    def eof_received(self):
        maybe("eof_received")

    def connection_lost(self, error):
        maybe("connection_lost")


class Buffered(asyncio.BufferedProtocol):
    def connection_made(self, transport):
        self.transport = transport
        self.buffer = bytearray(200)

    def get_buffer(self, hint):
        maybe("get_buffer")
        return self.buffer

    def buffer_updated(self, count):
        case = self.buffer[:count].decode().strip()
        self.transport.write(b"0")
        wanted.add(case)
        maybe("buffer_updated")


async def reader(reader, writer):
    case = (await reader.readline()).decode().strip()
    writer.write(b"0")
    fail(case)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.case = self.rfile.readline().decode().strip()
        self.wfile.write(b"0")
        if self.case.startswith("a-handler-handle"):
            fail(self.case)

    def finish(self):
        super().finish()
        if self.case.startswith("a-handler-finish"):
            fail(self.case)
