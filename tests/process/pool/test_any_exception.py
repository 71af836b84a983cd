"""An exception of any class, wherever a plugin's or an application's code raises it, costs its own connection at most.

A table: the place where it is raised, and its class. Each case has a text of its own, which the log must hold once.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

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

SOURCE = source("plugins/raises_anything.py")

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
    **metadata("raises", PARTS),
}

LISTENER = '[[listener]]\nname = "{0}"\nbind = ["{1}://127.0.0.1:0"]\nprotocol = "{2}"\n{3}\n'

CONFIG = "[pool]\nworkers = 1\n" + "".join(
    LISTENER.format(*each)
    for each in (
        ("hooks", "tcp", "raises", 'extensions = ["extends"]'),
        ("layers", "brittle", "raises", ""),
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
    "layers": ["layer-sent", "layer-output", "layer-finish"],
    "coroutines": ["a-coroutine", "a-task-of-a-coroutine"],
    "threads": ["a-thread-handle", "raised-by-another-thread"],
    "hosted": ["data_received", "eof_received", "connection_lost"],
    "buffered": ["buffer_updated"],
    "reader": ["reader-and-writer"],
    "handlers": ["a-handler-handle", "a-handler-finish"],
}
"""Places whose exception costs its own connection, by listener."""

ARRIVES = {
    "hooks": ["on_accept", "an-extension-on_accept"],
    "layers": ["layers", "layer-received"],
    "hosted": ["connection_made"],
    "buffered": ["get_buffer"],
}
"""Places whose exception costs the next connection to arrive there."""

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
"""Places whose exception costs no connection."""

UNTOLD = {("a-thread", "exit"), ("a-task", "cancelled")} | {
    (place, "cancelled") for place in ("a-group-of-tasks", "an-executor", "a-task-of-a-coroutine")
}
"""The meaning of these in Python: a thread that has ended itself, a task that was cancelled."""

LIMITED = {"layers", "layer-received", "a-finalizer", "a-weak-reference"}
"""Clients can cause these at any rate, before a protocol has met them, or in code that has no caller: logged once a
second."""


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


@pytest.mark.parametrize(("place", "cause"), [("layers", arrive), ("layer-received", arrive)])
def test_what_clients_cause_at_will_is_logged_once_a_second(
    running: PoolProcess, place: str, cause: Callable[[PoolProcess, str, str], None]
) -> None:
    case = f"{place}:panic"
    wait_until(lambda: (cause(running, "layers", case), count_of(running, case))[1], what=f"{case} is in the log")


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
