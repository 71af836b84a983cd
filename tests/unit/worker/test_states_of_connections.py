"""A connection under any order of events: with layers and without, read, paused, congested, half-open, parked, closing.

Real sockets and the real reactor, in this process. What the model knows: the bytes that each side has sent, and how the
connection has been ended.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from layers import END, HELLO, WELCOME, Framed, Layered, Nothing, Rot13, Unframer, frame, rot13

from corepool import CloseReason, TimeoutKind, hookimpl
from corepool.hot.leaving import close_if_idle, notify_drain
from corepool.testing.served import ServedHere

HIGH_WATER = 8192


class Scripted:
    """Reads, and notes what happens; the rules do the rest."""

    def __init__(self) -> None:
        self.conn: Any = None
        self.received = b""
        self.closes: list[CloseReason] = []
        self.echoes = False
        self.sent = b""

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        assert self.conn is None
        self.conn = conn

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        assert conn is self.conn
        assert not conn.closed
        data = conn.recv(1000)
        self.received += data
        if self.echoes:
            self.send(data)

    def send(self, data: bytes) -> None:
        if not self.conn.closed:
            self.sent += data
        self.conn.send(data)

    @hookimpl
    def on_close(self, conn: Any, reason: CloseReason) -> None:
        assert conn is self.conn
        self.closes.append(reason)


class Machine(RuleBasedStateMachine):
    """One connection."""

    def __init__(self) -> None:
        super().__init__()
        self.before = len(list(Path("/proc/self/fd").iterdir()))
        self.protocol = Scripted()
        self.output = b""
        """What the client has received."""
        self.plain = b""
        """What the client has sent, as the protocol should receive it."""
        self.wire = b""
        """What the client has yet to put on the wire."""
        self.ended = self.is_reset = self.was_dropped = self.has_sent_eof = False

    @initialize(kind=st.sampled_from(["bare", "no-op", "rot13", "framed"]))
    def begin(self, kind: str) -> None:
        self.kind = kind
        stacks = {"no-op": lambda: [Nothing()], "rot13": lambda: [Rot13()], "framed": lambda: [Framed()]}
        transport = Layered(stacks[kind]) if kind in stacks else None  # type: ignore[arg-type]
        self.here = ServedHere(
            self.protocol, transport=transport, output_high_water=HIGH_WATER, output_limit=1 << 20, idle_timeout=60
        )
        self.client = self.here.connect()
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        if kind == "framed":
            self.wire = HELLO

    # --- the client

    @precondition(lambda self: not self.ended and not self.is_reset)
    @rule(data=st.binary(min_size=1, max_size=3000))
    def the_client_sends(self, data: bytes) -> None:
        self.plain += data
        self.wire += {"framed": frame, "rot13": rot13}.get(self.kind, bytes)(data)

    @precondition(lambda self: self.wire and not self.is_reset)
    @rule(count=st.integers(1, 5000))
    def bytes_travel(self, count: int) -> None:
        try:
            sent = self.client.send(self.wire[:count])
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self.is_reset = True
            return
        self.wire = self.wire[sent:]

    @precondition(lambda self: not self.ended and not self.is_reset and not self.wire)
    @rule()
    def the_client_ends(self) -> None:
        self.ended = True
        if self.kind == "framed":
            try:
                self.client.send(END)
            except OSError:
                self.is_reset = True
        self.client.shutdown(socket.SHUT_WR)

    @precondition(lambda self: not self.is_reset)
    @rule(limit=st.integers(1, 100_000))
    def the_client_reads(self, limit: int) -> None:
        try:
            self.output += self.client.recv(limit)
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.is_reset = True

    @precondition(lambda self: not self.is_reset)
    @rule()
    def the_client_hangs_up(self) -> None:
        self.is_reset = True
        self.client.close()

    # --- the protocol, outside of its hooks

    @precondition(lambda self: self.protocol.conn)
    @rule(size=st.sampled_from([1, 100, HIGH_WATER + 1, 50_000]))
    def it_sends(self, size: int) -> None:
        if not self.has_sent_eof:
            self.protocol.send(b"x" * size)

    @precondition(lambda self: self.protocol.conn)
    @rule(limit=st.sampled_from([1, 65536]))
    def it_reads(self, limit: int) -> None:
        self.protocol.received += self.protocol.conn.recv(limit)

    @precondition(lambda self: self.protocol.conn)
    @rule(word=st.sampled_from(["pause", "resume", "send_now"]))
    def it_calls(self, word: str) -> None:
        getattr(self.protocol.conn, word)()

    @rule(echoes=st.booleans())
    def it_echoes(self, echoes: bool) -> None:  # noqa: FBT001
        self.protocol.echoes = echoes and not self.has_sent_eof

    @precondition(lambda self: self.protocol.conn)
    @rule(half_open=st.booleans(), busy=st.booleans())
    def it_says(self, half_open: bool, busy: bool) -> None:  # noqa: FBT001
        self.protocol.conn.half_open, self.protocol.conn.busy = half_open, busy

    @precondition(lambda self: self.protocol.conn)
    @rule()
    def it_ends_its_side(self) -> None:
        self.has_sent_eof = True
        self.protocol.echoes = False
        self.protocol.conn.send_eof()

    @precondition(lambda self: self.protocol.conn)
    @rule()
    def it_closes(self) -> None:
        self.protocol.conn.close()

    @precondition(lambda self: self.protocol.conn)
    @rule()
    def it_aborts(self) -> None:
        self.was_dropped = True
        self.protocol.conn.abort()

    # --- the worker

    @rule(count=st.integers(1, 4))
    def the_reactor_turns(self, count: int) -> None:
        for _ in range(count):
            self.here.turn()

    @rule(kind=st.sampled_from(list(TimeoutKind)))
    def a_deadline_passes(self, kind: TimeoutKind) -> None:
        for conn in self.here.connections():
            self.was_dropped |= kind is TimeoutKind.WRITE
            conn.on_deadline(kind)

    @rule(quiet_since=st.sampled_from([0.0, float("inf")]))
    def the_worker_drains(self, quiet_since: float) -> None:
        for conn in self.here.connections():
            notify_drain(conn)
            close_if_idle(conn, quiet_since)

    # --- what holds

    def plain_output(self) -> bytes:
        if self.kind == "framed":
            return Unframer().feed(self.output[len(WELCOME) :])
        return rot13(self.output) if self.kind == "rot13" else self.output

    @invariant()
    def the_bytes_are_those_that_were_sent(self) -> None:
        assert self.plain.startswith(self.protocol.received)
        assert self.protocol.sent.startswith(self.plain_output())

    @invariant()
    def it_is_either_here_or_gone(self) -> None:
        conn = self.protocol.conn
        open_ones = self.here.connections() if hasattr(self, "here") else []
        assert len(open_ones) <= 1
        assert len(self.protocol.closes) <= 1
        if conn is None:
            assert not self.protocol.closes
        elif open_ones:
            assert open_ones == [conn]
            assert not self.protocol.closes
            assert conn.fileno() >= 0
        else:
            assert len(self.protocol.closes) == 1
            assert conn.closed
            assert conn.fileno() == -1
            assert conn.recv() == b""
            assert conn.session is None

    @invariant()
    def its_output_has_a_bound(self) -> None:
        for conn in self.here.connections() if hasattr(self, "here") else []:
            assert conn.buffered <= (2 << 20)

    def teardown(self) -> None:
        if not hasattr(self, "here"):
            return
        conn = self.protocol.conn
        try:
            if conn is not None and not self.is_reset:
                self.serve_to_the_end(conn)
            self.client.close()
            if conn is not None:
                conn.resume()
                conn.close()
            for _ in range(40):
                self.here.turn()
            assert self.here.connections() == []
        finally:
            self.client.close()
            self.here.close()
        assert len(list(Path("/proc/self/fd").iterdir())) <= self.before

    def serve_to_the_end(self, conn: Any) -> None:
        """Let everything on its way arrive: then nothing is missing."""
        conn.resume()
        quiet = 0
        for _ in range(2000):
            try:
                self.wire = self.wire[self.client.send(self.wire) if self.wire else 0 :]
            except OSError:
                pass
            try:
                data = self.client.recv(1 << 20)
            except OSError:
                data = b""
            self.output += data
            self.here.turn()
            quiet = 0 if data or self.wire or conn.buffered else quiet + 1
            if quiet > 20:
                break
        self.the_bytes_are_those_that_were_sent()
        if not conn.closed:
            assert self.protocol.received == self.plain
            assert conn.eof == self.ended
        if not self.was_dropped and CloseReason.RESET not in self.protocol.closes:
            assert self.plain_output() == self.protocol.sent


TestStates = Machine.TestCase
TestStates.settings = settings(
    deadline=None, max_examples=80, stateful_step_count=25, suppress_health_check=list(HealthCheck)
)
