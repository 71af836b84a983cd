"""An exception of any class, wherever a plugin's or an application's code raises it, costs its own connection at most.

A table: the place where it is raised, and its class. Each case has a text of its own, which the log must hold once.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest

from corepool.testing.pools import Pools
from corepool.testing.sockets import receive_exactly
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from corepool.testing.pool import PoolProcess

EXCEPTIONS = {
    "panic": "Panic",
    "interrupt": "KeyboardInterrupt",
    "exit": "SystemExit",
    "generator": "GeneratorExit",
    "cancelled": "CancelledError",
    "group": "BaseExceptionGroup",
    "memory": "MemoryError",
    "recursion": "RecursionError",
}

SOURCE = r"""
import asyncio, concurrent.futures, ctypes, gc, os, signal, socketserver, threading, weakref
from corepool import Dispatcher, hookimpl
from corepool.streams import BlockingProtocol, StreamProtocol
from corepool_tcp import Tcp

class Panic(BaseException):
    '''As of pyo3, or gevent's Timeout.'''

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
            case "an-extension-on_close" | "stream-close" | "stream-shutdown":
                wanted.add(case)
                conn.close()
            case "stream-send":
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


class Socket:
    def __init__(self, sock):
        self.sock = sock

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def recv(self, limit):
        maybe("stream-recv")
        return self.sock.recv(limit)

    def send(self, data):
        maybe("stream-send")
        return self.sock.send(data)

    def shutdown(self, how):
        maybe("stream-shutdown")
        self.sock.shutdown(how)

    def close(self):
        self.sock.close()
        maybe("stream-close")


class Brittle(Tcp):
    wraps = True

    def wrap(self, sock):
        maybe("wrap")
        return Socket(sock)


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
"""

PARTS = """[corepool.protocols]
raises = raises:Raises
coroutines = raises:Coroutines
threads = raises:Threads
[corepool.extensions]
extends = raises:Extends
[corepool.transports]
brittle = raises:Brittle
[corepool.dispatchers]
picks = raises:Picks
"""

FILES = {
    "raises.py": SOURCE,
    "raises-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: raises\nVersion: 1\n",
    "raises-1.dist-info/entry_points.txt": PARTS,
}

LISTENER = '[[listener]]\nname = "{0}"\nbind = ["{1}://127.0.0.1:0"]\nprotocol = "{2}"\n{3}\n'

CONFIG = "[pool]\nworkers = 1\n" + "".join(
    LISTENER.format(*each)
    for each in (
        ("hooks", "tcp", "raises", 'extensions = ["extends"]'),
        ("streams", "brittle", "raises", ""),
        ("coroutines", "tcp", "coroutines", ""),
        ("threads", "tcp", "threads", "options = { threads = 2 }"),
        ("hosted", "tcp", "asyncio", 'options = { target = "raises:Hosted" }'),
        ("buffered", "tcp", "asyncio", 'options = { target = "raises:Buffered" }'),
        ("reader", "tcp", "asyncio", 'options = { target = "raises:reader" }'),
        ("handlers", "tcp", "socketserver", 'options = { target = "raises:Handler", threads = 2 }'),
    )
)

ENDS = {
    "hooks": [
        "on_readable",
        "on_close",
        "on_timeout",
        "on_writable",
        "an-extension-on_close",
        "a-signal-handler",
    ],
    "streams": ["stream-send", "stream-shutdown", "stream-close"],
    "coroutines": ["a-coroutine", "a-task-of-a-coroutine"],
    "threads": ["a-thread-handle", "raised-by-another-thread"],
    "hosted": ["data_received", "eof_received", "connection_lost"],
    "buffered": ["buffer_updated"],
    "reader": ["reader-and-writer"],
    "handlers": ["a-handler-handle", "a-handler-finish"],
}
"""What costs its connection, by the listener it comes in by."""

ARRIVES = {
    "hooks": ["on_accept", "an-extension-on_accept"],
    "streams": ["wrap", "stream-recv"],
    "hosted": ["connection_made"],
    "buffered": ["get_buffer"],
}
"""What costs the next connection to arrive there."""

KEEPS = {
    "hooks": [
        "the-batch-end",
        "a-callback",
        "a-timer",
        "a-call-of-a-thread",
        "a-task",
        "a-group-of-tasks",
        "an-executor",
        "a-future-callback",
        "a-signal-of-the-loop",
        "a-thread",
        "the-handler-of-exceptions",
        "a-finalizer",
        "a-weak-reference",
    ],
    "hosted": ["pause_writing", "resume_writing"],
}
"""What costs no connection."""

UNTOLD = {("a-thread", "exit"), ("a-task", "cancelled")} | {
    (place, "cancelled") for place in ("a-group-of-tasks", "an-executor", "a-task-of-a-coroutine")
}
"""What Python means by these: a thread that has ended itself, a task that was cancelled."""

LIMITED = {"wrap", "stream-shutdown", "stream-close"}
"""What clients can cause at any rate, without a protocol that has met them: logged once a second."""


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with Pools() as pools:
        yield pools(CONFIG, files=FILES, traceback=True)


def rows(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(listener, place) for listener, places in table.items() for place in places]


def pid_of(client: socket.socket) -> bytes:
    client.sendall(b"pid ")
    return receive_exactly(client, 7)


def read_end(client: socket.socket) -> None:
    """Wait for the end of a connection; its client may be told by a reset."""
    try:
        while client.recv(4096):
            pass
    except ConnectionError:
        pass


def count_of(running: PoolProcess, case: str) -> int:
    """Return the number of tracebacks that end in the exception of this case."""
    kind = EXCEPTIONS[case.partition(":")[2]]
    return len(re.findall(rf"^\W*[\w.<>]*\b(?:{kind}|Asked): {re.escape(case)}(?: \(|$)", running.stderr, re.MULTILINE))


def check(running: PoolProcess, bystander: socket.socket, pid: bytes, case: str) -> None:
    place, _, kind = case.partition(":")
    if (place, kind) in UNTOLD or place in LIMITED:
        assert pid_of(bystander) == pid
        return
    # Each question has the garbage collected: asyncio tells of a task when it goes.
    wait_until(lambda: (pid_of(bystander), count_of(running, case))[1], what=f"{case} is in the log")
    assert pid_of(bystander) == pid
    assert count_of(running, case) == 1, f"{case} is logged once"


def end(running: PoolProcess, listener: str, case: str) -> None:
    """Have a connection ended by what it asks for."""
    with running.connect(listener) as victim:
        victim.sendall(case.encode() + b"\n")
        if case.startswith(("eof_received", "connection_lost")):
            assert receive_exactly(victim, 1) == b"0"
            victim.shutdown(socket.SHUT_WR)
        read_end(victim)


def arrive(running: PoolProcess, listener: str, case: str) -> None:
    """Have a connection ended as it arrives."""
    with running.connect("hooks") as other:
        other.sendall(f"next/{case}\n".encode())
        assert receive_exactly(other, 1) == b"0"
        with running.connect(listener) as victim:
            try:
                victim.sendall(b"x")
            except ConnectionError:
                pass  # it was ended already
            read_end(victim)


@pytest.mark.parametrize(("listener", "place"), rows(ENDS))
def test_it_ends_its_own_connection(running: PoolProcess, listener: str, place: str) -> None:
    bystander = running.connect("hooks")
    pid = pid_of(bystander)
    for kind in EXCEPTIONS:
        end(running, listener, f"{place}:{kind}")
        check(running, bystander, pid, f"{place}:{kind}")


@pytest.mark.parametrize(("listener", "place"), rows(ARRIVES))
def test_it_ends_the_connection_that_arrives(running: PoolProcess, listener: str, place: str) -> None:
    bystander = running.connect("hooks")
    pid = pid_of(bystander)
    for kind in EXCEPTIONS:
        arrive(running, listener, f"{place}:{kind}")
        check(running, bystander, pid, f"{place}:{kind}")


@pytest.mark.parametrize(("place", "cause"), [("wrap", arrive), ("stream-shutdown", end), ("stream-close", end)])
def test_what_clients_cause_at_will_is_logged_once_a_second(
    running: PoolProcess, place: str, cause: Callable[[PoolProcess, str, str], None]
) -> None:
    case = f"{place}:panic"
    wait_until(lambda: (cause(running, "streams", case), count_of(running, case))[1], what=f"{case} is in the log")


@pytest.mark.parametrize(("listener", "place"), rows(KEEPS))
def test_it_ends_no_connection(running: PoolProcess, listener: str, place: str) -> None:
    bystander = running.connect("hooks")
    pid = pid_of(bystander)
    for kind in EXCEPTIONS:
        case = f"{place}:{kind}"
        with running.connect(listener) as client:
            client.sendall(case.encode() + b"\n")
            if listener == "hosted":
                assert receive_exactly(client, 2) == b"01"
            check(running, bystander, pid, case)
            if listener == "hooks":
                assert pid_of(client) == pid
