"""Compiled or not, a connection does the same: both are put through the same steps, and all that shows is compared."""

from __future__ import annotations

import importlib
import os
import tempfile
from contextlib import contextmanager, nullcontext
from select import EPOLLIN
from typing import TYPE_CHECKING, Any

from as_python import AsPython
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from corepool import hookimpl
from corepool.build import is_compiled
from corepool.hot import filesegment, outbox, reactor
from corepool.testing import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = tuple[str, int]

as_python = AsPython()
with as_python:
    outbox_as_python: Any = importlib.import_module("corepool.hot.outbox")
    filesegment_as_python: Any = importlib.import_module("corepool.hot.filesegment")
    reactor_as_python: Any = importlib.import_module("corepool.hot.reactor")
    served_as_python: Any = importlib.import_module("corepool.testing.served")

CONTENT = bytes(range(256)) * 256
SIZES = [0, 1, 5, 4096, 65_536, 300_000]
"""Beside the marks (5000 and 2500 of buffered output) and the room of a socket."""
OF_CLIENT = ["sends", "reads", "ends", "closes"]
OF_INPUT = ["recv", "pause", "resume", "deadline", "half_open"]
OF_OUTPUT = ["send", "sendfile", "send_now", "send_eof", "watermarks"]
OF_PROTOCOL = [*OF_INPUT, *OF_OUTPUT, "busy", "close", "abort", "fail"]
CALLS = [*OF_CLIENT, *OF_PROTOCOL, *(f"in {each}" for each in OF_PROTOCOL)]
"""Those within the event of the next input, and those of a task."""
STEPS = st.lists(st.tuples(st.sampled_from(CALLS), st.sampled_from(SIZES)), max_size=25)
OF_OUTBOX = st.lists(
    st.tuples(st.sampled_from(["append", "file", "front", "advance", "clear"]), st.sampled_from(SIZES))
)


class Scripted:
    """A protocol that does what stands in its script, whenever input is there, and notes which hooks were called."""

    def __init__(self, file: int) -> None:
        self.file = file
        self.script: list[Step] = []
        self.told: list[tuple[object, ...]] = []

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.told.append(("readable",))
        script, self.script = self.script, []
        for step in script or [("recv", 65_536)]:
            self.act(conn, *step)

    @hookimpl
    def on_writable(self, conn: Any) -> None:
        self.told.append(("writable", conn.buffered))

    @hookimpl
    def on_close(self, conn: Any, reason: Any) -> None:
        self.told.append(("close", str(reason), conn.closed))

    def act(self, conn: Any, call: str, size: int) -> None:
        try:
            self.told.append((call, self._act(conn, call, size)))
        except (TypeError, ValueError) as error:
            self.told.append((call, repr(error)))

    def _act(self, conn: Any, call: str, size: int) -> object:
        if call == "recv":
            return conn.recv(size)
        if call == "send":
            return conn.send([CONTENT[:size], bytearray(CONTENT[:size]), memoryview(CONTENT)[:size], "text"][size % 4])
        if call == "sendfile":
            return conn.sendfile(self.file, 1, size)
        if call == "watermarks":
            return conn.watermarks(size, size // 2)
        if call == "deadline":
            return conn.deadline(size or None)
        if call in {"busy", "half_open"}:
            return setattr(conn, call, bool(size))
        if call == "fail":
            raise ZeroDivisionError
        return getattr(conn, call)()


def seen(conn: Any, protocol: Scripted) -> tuple[object, ...]:
    """Return all that a protocol, or the worker, sees of a connection, and the hooks since."""
    told, protocol.told = protocol.told, []
    names = (
        "id listener protocol eof closed buffered congested bytes_in bytes_out busy half_open pinned can_move is_idle "
        "crash_slot drops_input"
    )
    site = conn.site
    return (
        told,
        [getattr(conn, name) for name in names.split()],
        str(conn.reason),
        conn.fileno() < 0,
        [site.events, site.ends, site.bytes_in, site.bytes_out, site.hook_errors, len(site.parked)],
        len(site.unsent),
    )


def play(build: Any, steps: list[Step], *, gathers: bool) -> Iterator[object]:
    """Go through the steps with the classes of one build, and yield what shows after each."""
    with tempfile.TemporaryFile() as file:
        file.write(CONTENT * 5)
        file.flush()
        protocol = Scripted(file.fileno())
        with build.ServedHere(protocol, output_high_water=5000, output_limit=1_000_000) as here:
            client = here.connect()
            [conn] = here.connections()
            here.reactor.gather_s = 1000.0
            with client, _another_event(here.reactor) if gathers else nullcontext():
                for step, size in steps:
                    yield (step, size, *_do(here, conn, client, protocol, step, size), seen(conn, protocol))


@contextmanager
def _another_event(reactor: Any) -> Iterator[None]:
    """Have something else be ready in each turn, so that output may be gathered."""
    fd = os.eventfd(1)
    reactor.add(fd, Ready(), EPOLLIN)
    try:
        yield
    finally:
        reactor.remove(fd)
        os.close(fd)


class Ready:
    """A source that does nothing."""

    def on_event(self, mask: int) -> None: ...


def _do(here: Any, conn: Any, client: Any, protocol: Scripted, step: str, size: int) -> Iterator[object]:
    try:
        if step == "sends":
            yield client.send(CONTENT[:size])
        elif step == "reads":
            yield client.recv(size)
        elif step == "ends":
            client.shutdown(1)
        elif step == "closes":
            client.close()
        elif step.startswith("in "):
            protocol.script.append((step[3:], size))
        elif step != "fail":
            protocol.act(conn, step, size)
    except OSError as error:
        yield type(error)
    here.turn()
    here.turn()


@given(steps=STEPS, gathers=st.booleans())
@example(steps=[("send", 1), ("in recv", 0), ("closes", 0)], gathers=False)
@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
def test_a_connection_does_the_same(steps: list[Step], gathers: bool) -> None:  # noqa: FBT001  # of hypothesis
    with as_python:
        expected = list(play(served_as_python, steps, gathers=gathers))

    assert list(play(served, steps, gathers=gathers)) == expected


@given(steps=OF_OUTBOX)
@settings(deadline=None)
def test_an_outbox_does_the_same(steps: list[Step]) -> None:
    def run(outbox: Any, segment: Callable[[int, int, int], Any]) -> Iterator[object]:
        box = outbox.Outbox(b"first")
        with tempfile.TemporaryFile() as file:
            for step, size in steps:
                front = box.front()
                if step == "append":
                    box.append(CONTENT[:size])
                elif step == "file":
                    box.append(segment(file.fileno(), 0, size or 1))
                elif step == "advance" and front:
                    box.advance(min(size, len(front)))
                elif step == "clear":
                    box.clear()
                front = box.front()
                yield len(box), bool(box), box.waiting, type(front).__name__, len(front)
            box.clear()

    assert list(run(outbox, filesegment.FileSegment)) == list(run(outbox_as_python, filesegment_as_python.FileSegment))


def test_the_two_are_two_where_corepool_is_compiled() -> None:
    assert reactor_as_python.Reactor is reactor_as_python.PythonReactor
    assert outbox_as_python.__file__.endswith("outbox.py")
    assert is_compiled() == (reactor.Reactor is not reactor.PythonReactor)
    assert is_compiled() == (not str(outbox.__file__).endswith(".py"))
