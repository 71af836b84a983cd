"""The memory that a client can make layers use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from layers import ALERT, HELLO, WELCOME, Framed, Layered, Nothing, frame

from corepool import CloseReason, hookimpl
from corepool.hot.layers import MAX_UNREAD, READ_BYTES, Layers
from corepool.testing.served import ServedHere
from corepool.worker import service

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from corepool import Layer

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
FACTOR = 100
PIECE = 4096
"""The default of `input_bytes`."""
SOCKET_BYTES = 1 << 20
"""More than a socket pair holds."""


class Expanding(Nothing):
    """Makes much of little, as decompression does."""

    def __init__(self) -> None:
        self.pieces: list[int] = []
        self.made = 0

    def received(self, data: bytes) -> bytes:
        self.pieces.append(len(data))
        self.made += FACTOR * len(data)
        return data * FACTOR


class Talkative(Nothing):
    """Answers each byte by itself, as a ping."""

    def __init__(self) -> None:
        self.own = b""

    def received(self, data: bytes) -> bytes:
        self.own += data
        return b""

    def output(self) -> bytes:
        own, self.own = self.own, b""
        return own


class Sips:
    """Reads a little in each event, as long as it is told to."""

    def __init__(self, limit: int = 50) -> None:
        self.limit = limit
        self.received = 0
        self.calls = 0
        self.output = b""
        self.reasons: list[CloseReason] = []

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        conn.send(self.output)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.calls += 1
        if self.received >= self.limit:
            conn.pause()
        else:
            self.received += len(conn.recv(10 if self.limit == 50 else 65_536))

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)


class Nibbles(Sips):
    """Reads a byte in each event."""

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        self.calls += 1
        conn.recv(1)


def served(protocol: object, make: Callable[[], Sequence[Layer]], **options: object) -> ServedHere:
    return ServedHere(protocol, transport=Layered(make), **options)  # type: ignore[arg-type]


def send_all(here: ServedHere, client: socket.socket, data: bytes) -> None:
    """Send, and serve meanwhile; give up when nothing is read any more."""
    refused = 0
    while data and refused < 20:
        try:
            data = data[client.send(data) :]
            refused = 0
        except BlockingIOError:
            refused += 1
        here.turn()


def test_opening() -> None:
    class NeverOpen(Talkative):
        is_open = False

    with served(Sips(), lambda: [NeverOpen()], output_high_water=65_536) as here, here.connect() as client:
        send_all(here, client, b"x" * (2 * SOCKET_BYTES))
        (conn,) = here.connections()
        assert conn.congested
        assert conn.bytes_in == conn.bytes_out + conn.buffered
        assert conn.buffered < 65_536 + READ_BYTES * 2
        due = conn.next_deadline()
        assert due is not None
        conn.on_deadline(due[1])
        client.close()
        here.turn_until(lambda: here.connections() == [])
        assert here.service.layer_failures == 1


def test_input_that_the_protocol_has_not_read() -> None:
    layer, protocol = Expanding(), Sips()
    with served(protocol, lambda: [layer]) as here, here.connect() as client:
        send_all(here, client, b"x" * SOCKET_BYTES)
        (conn,) = here.connections()
        assert protocol.received == 50
        assert conn.bytes_in <= READ_BYTES
        assert layer.made <= MAX_UNREAD + FACTOR * PIECE

        protocol.limit = SOCKET_BYTES * FACTOR
        conn.resume()
        here.turn_until(lambda: protocol.received == conn.bytes_in * FACTOR >= READ_BYTES * FACTOR)
        assert max(layer.pieces) == PIECE


def test_a_layer_may_take_larger_pieces() -> None:
    layer, protocol = Expanding(), Sips()
    layer.input_bytes = READ_BYTES
    with served(protocol, lambda: [layer]) as here, here.connect() as client:
        client.send(b"x" * 10_000)
        here.turn_until(lambda: protocol.received == 50)
        assert layer.pieces == [10_000]


def test_input_between_two_layers() -> None:
    lower, upper, protocol = Expanding(), Expanding(), Sips()
    with served(protocol, lambda: [lower, upper]) as here, here.connect() as client:
        send_all(here, client, b"x" * SOCKET_BYTES)
        assert lower.pieces == [PIECE]
        assert upper.made <= MAX_UNREAD + FACTOR * PIECE

        (conn,) = here.connections()
        protocol.limit = READ_BYTES * FACTOR * FACTOR
        conn.resume()
        here.turn_until(lambda: protocol.received >= protocol.limit)
        assert max(upper.pieces) == PIECE


def test_output_of_the_protocol() -> None:
    class Doubling(Nothing):
        def sent(self, data: bytes) -> bytes:
            return data * 2

    protocol = Sips()
    protocol.output = b"x" * (4 << 20)
    with served(protocol, lambda: [Doubling()]) as here, here.connect() as client:
        for _ in range(10):
            here.turn()
        (conn,) = here.connections()
        client.setblocking(False)
        assert conn.congested
        client.send(b"x")
        here.turn()
        assert conn.buffered <= len(protocol.output) + 2 * 262_144
        assert conn.bytes_in <= 1


def test_output_of_the_layers_themselves() -> None:
    with served(Sips(), lambda: [Talkative()], output_high_water=65_536) as here, here.connect() as client:
        send_all(here, client, b"x" * (2 * SOCKET_BYTES))
        (conn,) = here.connections()
        assert conn.congested
        assert conn.buffered < 65_536 + 2 * READ_BYTES


def test_all_rows_have_a_test() -> None:
    section = PAGE.read_text().partition("\n## Layers\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]*) \| [^-]", section, re.MULTILINE)[1:]
    assert len(rows) == 5
    for row in rows:
        assert callable(getattr(sys.modules[__name__], "test_" + re.sub(r"\W+", "_", row)))


def test_a_stack_of_layers_may_be_any_iterable_that_can_be_gone_through_once() -> None:
    layers = Layers(layer for layer in [Nothing(), Nothing()])
    layers.receive(b"x")
    assert layers.take(1) == b"x"


# --- whose turn it is


@pytest.mark.parametrize("more_comes", [False, True])
def test_input_that_a_layer_holds_is_served_once_a_turn_of_the_loop(more_comes: bool) -> None:  # noqa: FBT001
    protocol = Nibbles()
    with served(protocol, lambda: [Nothing()]) as here, here.connect() as client:
        client.send(b"x" * 100)
        here.turn_until(lambda: protocol.calls > 0)
        for _ in range(20):
            before = protocol.calls
            if more_comes:
                client.send(b"x")
            here.turn()
            assert protocol.calls == before + 1


def test_output_of_tasks_leaves_no_entry_behind_while_a_layer_holds_input() -> None:
    """Each would be gone through in every turn from then on."""
    protocol = Nibbles()
    with served(protocol, lambda: [Nothing()]) as here, here.connect() as client:
        client.send(b"x" * 100)
        here.turn_until(lambda: protocol.calls > 0)
        (conn,) = here.connections()
        for _ in range(20):
            before = protocol.calls
            conn.send(b"of a task")
            here.turn()
            assert protocol.calls == before + 1
            assert client.recv(100) == b"of a task"
            assert (here.reactor.unsent, here.reactor.unread) == ([], [conn])


@pytest.mark.parametrize("takes", [True, False])
def test_a_protocol_that_takes_what_a_layer_holds_is_not_told_to_read(
    takes: bool,  # noqa: FBT001
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing comes from the wire meanwhile, which is ready all the time."""

    class Ignores(Nibbles):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            if takes or not self.calls:
                super().on_readable(conn)

    monkeypatch.setattr(service, "_SPINS", 10)
    with served(Ignores(), lambda: [Nothing()]) as here, here.connect() as client:
        client.send(b"x" * 100)
        here.turn_until(lambda: here.connections()[0].bytes_in == 100)
        here.service.look_for_spin()
        client.send(b"more")
        before = here.service.events
        here.turn_until(lambda: here.service.events >= before + 20)
        assert here.connections()[0].bytes_in == 100
        here.service.look_for_spin()

    assert [each.split()[0] for each in caplog.messages] == ([] if takes else ["input_never_read"])


@pytest.mark.parametrize("is_open", [False, True])
def test_the_alert_for_wrong_bytes_reaches_a_client_that_is_still_sending(is_open: bool) -> None:  # noqa: FBT001
    """A close with bytes of the client unread would reset the connection."""
    with served(Sips(), lambda: [Framed()]) as here, here.connect() as client:
        expected = ALERT
        if is_open:
            client.send(HELLO)
            here.turn_until(lambda: here.connections()[0].bytes_out > 0)
            expected = WELCOME + ALERT
        client.send(b"\xff" * (READ_BYTES + 1))
        here.turn_until(lambda: here.connections() == [])

        assert len(here.reactor.sources()) == 1, "it lingers"
        assert client.recv(100) == expected
        assert client.recv(100) == b""


# --- exceptions, of each method


@pytest.mark.parametrize("error", [ValueError("wrong"), OSError("as of ssl"), KeyError("a bug"), SystemExit(3)])
@pytest.mark.parametrize("method", ["is_open", "facts", "output", "has_ended", "finish"])
def test_an_exception_of_any_method_of_a_layer_is_the_layers(
    method: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising(Framed):
        def _raise(self, name: str) -> None:
            if name == method and self._is_open:
                raise error

        @property
        def is_open(self) -> bool:
            self._raise("is_open")
            return super().is_open

        @property
        def facts(self) -> Mapping[str, object]:
            self._raise("facts")
            return super().facts

        @property
        def has_ended(self) -> bool:
            self._raise("has_ended")
            return super().has_ended

        def output(self) -> bytes:
            self._raise("output")
            return super().output()

        def finish(self) -> None:
            self._raise("finish")
            super().finish()

    class Closes(Sips):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()
            conn.close()

    protocol = Closes()
    with served(protocol, lambda: [Raising()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"x"))
        here.turn_until(lambda: here.connections() == [])
        assert here.service.layer_failures == 1
        assert (here.service.hook_errors > 0) != isinstance(error, ValueError)

    event = "layer_refused" if isinstance(error, ValueError) else "layer_failed"
    assert {record.getMessage().split()[0] for record in caplog.records} == {event}
    assert protocol.reasons == ([CloseReason.CLOSED] if method == "finish" else [])
