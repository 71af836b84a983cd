"""Layers between the wire and a protocol, over real sockets, in this process."""

from __future__ import annotations

import socket
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers import ALERT, END, HELLO, MAX_FRAME, WELCOME, Framed, Layered, Nothing, Rot13, Unframer, frame, rot13

from corepool import CloseReason, hookimpl
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Layer


class Echo:
    """Sends everything back, and notes what happens."""

    def __init__(self, limit: int = 65536) -> None:
        self.limit = limit
        self.reasons: list[CloseReason] = []
        self.accepted: list[Any] = []
        self.received = b""

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.accepted.append(conn)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        data = conn.recv(self.limit)
        self.received += data
        conn.send(data)

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.reasons.append(reason)


def served(protocol: object, make: Callable[[], Sequence[Layer]], **options: object) -> ServedHere:
    return ServedHere(protocol, transport=Layered(make), **options)  # type: ignore[arg-type]


def read_all(here: ServedHere, client: socket.socket) -> bytes:
    """Serve until the client has met the end."""
    found: list[bytes] = []

    def has_ended() -> bool:
        try:
            found.append(client.recv(65536))
        except BlockingIOError:
            return False
        except ConnectionResetError:
            found.append(b"")
        return not found[-1]

    here.turn_until(has_ended)
    return b"".join(found)


def read_exactly(here: ServedHere, client: socket.socket, count: int) -> bytes:
    found = b""

    def is_enough() -> bool:
        nonlocal found
        try:
            found += client.recv(count - len(found))
        except BlockingIOError:
            return False
        return len(found) == count

    here.turn_until(is_enough)
    return found


STACKS: dict[str, tuple[Callable[[], list[Layer]], Callable[[bytes], bytes]]] = {
    "one that does nothing": (lambda: [Nothing()], bytes),
    "rot13": (lambda: [Rot13()], rot13),
    "rot13 twice": (lambda: [Rot13(), Rot13()], bytes),
}


@pytest.mark.parametrize("stack", STACKS)
def test_a_layer_transforms_both_ways(stack: str) -> None:
    make, transform = STACKS[stack]
    protocol = Echo()
    with served(protocol, make) as here, here.connect() as client:
        client.send(transform(b"Hello"))
        assert read_exactly(here, client, 5) == transform(b"Hello")
        client.shutdown(socket.SHUT_WR)
        assert read_all(here, client) == b""

    assert (protocol.received, protocol.reasons) == (b"Hello", [CloseReason.EOF])


def test_nothing_is_told_to_the_protocol_until_a_slow_handshake_is_over() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        for byte in HELLO[:-1]:
            client.send(bytes([byte]))
            here.turn(1)
        assert protocol.accepted == []
        client.send(HELLO[-1:])
        assert read_exactly(here, client, len(WELCOME)) == WELCOME
        here.turn_until(lambda: bool(protocol.accepted))

        assert protocol.accepted[0].facts == {"framed": True}


def test_bytes_behind_the_handshake_are_served_without_another_event() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"early") + END)

        assert read_all(here, client) == WELCOME + frame(b"early") + END
        client.close()
    assert protocol.reasons == [CloseReason.EOF]


def test_input_that_a_layer_holds_is_served_without_another_event() -> None:
    protocol = Echo(limit=1)
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"x" * 500))
        here.turn_until(lambda: len(protocol.received) == 500)


def test_held_input_waits_while_the_protocol_has_paused() -> None:
    class Pauses(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            self.received += conn.recv(1)
            conn.pause()

    protocol = Pauses()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"xyz"))
        here.turn_until(lambda: bool(protocol.received))
        for _ in range(5):
            here.turn()
        assert protocol.received == b"x"
        protocol.accepted[0].resume()
        here.turn_until(lambda: protocol.received == b"xy")


def test_layers_open_one_after_the_other() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed(), Framed()]) as here, here.connect() as client:
        client.send(HELLO)
        assert read_exactly(here, client, len(WELCOME)) == WELCOME
        assert protocol.accepted == []
        client.send(frame(HELLO + frame(b"hi")))

        inside = Unframer()
        answer = b""
        while not answer.endswith(frame(b"hi")):
            answer += inside.feed(read_exactly(here, client, 1))
        assert answer == WELCOME + frame(b"hi")


def test_what_was_sent_in_one_hook_leaves_in_one_frame() -> None:
    class Twice(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.send(conn.recv())
            conn.send(b"!")

    with served(Twice(), lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"hi"))
        assert read_exactly(here, client, len(WELCOME) + 5) == WELCOME + frame(b"hi!")


def test_wrong_bytes_in_the_handshake_are_answered_with_the_layers_alert(caplog: pytest.LogCaptureFixture) -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        assert read_all(here, client) == ALERT
        assert here.service.layer_failures == 1

    assert (protocol.accepted, protocol.reasons) == ([], [])
    assert "no hello" in caplog.text
    assert "Traceback" not in caplog.text


def test_wrong_bytes_later_end_the_connection_for_that_reason() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"good"))
        assert read_exactly(here, client, len(WELCOME) + 6) == WELCOME + frame(b"good")
        client.send(b"\xff\xff")
        assert read_all(here, client) == ALERT
        assert here.service.layer_failures == 1

    assert protocol.reasons == [CloseReason.LAYER]


@pytest.mark.parametrize("way", ["received", "sent"])
@pytest.mark.parametrize("error", [ValueError("wrong"), OSError("as of ssl"), EOFError("as of ssl"), KeyError("a bug")])
def test_an_exception_of_a_layer_ends_the_connection_for_that_reason(
    way: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Raising(Framed):
        calls = 0

        def received(self, data: bytes) -> bytes:
            if self.is_open and way == "received":
                self._raise()
            return super().received(data)

        def sent(self, data: bytes) -> bytes:
            if way == "sent":
                self._raise()
            return super().sent(data)

        def _raise(self) -> None:
            Raising.calls += 1
            self._own += ALERT
            raise error

    protocol = Echo()
    with served(protocol, lambda: [Raising()]) as here, here.connect() as client:
        client.send(HELLO)
        assert read_exactly(here, client, len(WELCOME)) == WELCOME
        client.send(frame(b"good"))
        assert read_all(here, client) == ALERT
        assert (here.service.layer_failures, Raising.calls) == (1, 1)
        assert here.service.hook_errors == (0 if isinstance(error, ValueError) else 1)

    assert protocol.reasons == [CloseReason.LAYER]
    assert ("Traceback" in caplog.text) != isinstance(error, ValueError)


def test_a_client_that_is_cut_off_is_no_ended_one() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"half"))
        assert read_exactly(here, client, len(WELCOME) + 6) == WELCOME + frame(b"half")
        client.shutdown(socket.SHUT_WR)
        assert read_all(here, client) == b""

    assert protocol.reasons == [CloseReason.LAYER]


@pytest.mark.parametrize("leave", ["close", "shutdown"])
def test_a_client_that_leaves_during_the_handshake_is_counted_and_never_told(leave: str) -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()]) as here:
        client = here.connect()
        client.send(HELLO[:3])
        here.turn(1)
        client.close() if leave == "close" else client.shutdown(socket.SHUT_WR)
        here.turn_until(lambda: here.connections() == [])
        client.close()
        assert here.service.layer_failures == 1
        assert not here.counts.full

    assert (protocol.accepted, protocol.reasons) == ([], [])


def test_a_handshake_has_a_deadline() -> None:
    class Impatient(Framed):
        opening_timeout = 0.01

    protocol = Echo()
    with served(protocol, lambda: [Impatient()]) as here, here.connect() as client:
        client.send(HELLO[:3])
        here.loop.call_later(0.001, lambda: None)
        here.turn_until(lambda: _is_over(here, client))
        assert here.service.layer_failures == 1

    assert (protocol.accepted, protocol.reasons) == ([], [])


def _is_over(here: ServedHere, client: socket.socket) -> bool:
    here.loop.call_soon(here.loop.stop)
    here.loop.run_forever()
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_protocols_close_lets_the_layer_say_goodbye() -> None:
    class Closes(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.send(conn.recv())
            conn.close()

    protocol = Closes()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"hi"))
        assert read_all(here, client) == WELCOME + frame(b"hi") + END

    assert protocol.reasons == [CloseReason.CLOSED]


def test_our_side_may_end_before_the_clients() -> None:
    class Ends(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            data = conn.recv()
            self.received += data
            if data == b"hi":
                conn.half_open = True
                conn.send(b"last")
                conn.send_eof()
            elif conn.eof:
                conn.close()

    protocol = Ends()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"hi"))
        assert read_all(here, client) == WELCOME + frame(b"last") + END
        client.send(frame(b"more") + END)
        here.turn_until(lambda: bool(protocol.reasons))

    assert protocol.received == b"himore"


def test_aborting_says_nothing() -> None:
    class Aborts(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()
            conn.send(b"never")
            conn.abort()

    protocol = Aborts()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO)
        assert read_exactly(here, client, len(WELCOME)) == WELCOME
        client.send(frame(b"hi"))
        assert read_all(here, client) == b""

    assert protocol.reasons == [CloseReason.ABORTED]


def test_a_slow_client_gets_a_file_and_everything_around_it_in_order() -> None:
    content = bytes(range(256)) * 4000

    class Sends(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.recv()
            conn.send(b"before")
            with tempfile.TemporaryFile() as file:
                file.write(content)
                file.flush()
                conn.sendfile(file, 10, len(content) - 10)
            conn.send(b"after")
            conn.close()

    with served(Sends(), lambda: [Framed()]) as here, here.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(HELLO + frame(b"go"))
        answer = read_all(here, client)

    inside = Unframer()
    assert answer.startswith(WELCOME)
    assert inside.feed(answer[len(WELCOME) :]) == b"before" + content[10:] + b"after"
    assert inside.has_ended


def test_a_client_that_does_not_read_is_not_read_either() -> None:
    protocol = Echo()
    with served(protocol, lambda: [Framed()], output_high_water=4096) as here, here.connect() as client:
        client.send(HELLO)
        here.turn(1)
        (conn,) = here.connections()
        refused = 0
        while refused < 10:
            try:
                client.send(frame(b"x" * MAX_FRAME))
            except BlockingIOError:
                refused += 1
            here.turn()
        assert conn.congested
        assert conn.buffered < 1 << 20
        received = len(protocol.received)
        here.turn()
        assert len(protocol.received) == received


def test_connections_with_layers_stay_in_their_worker() -> None:
    with served(Echo(), lambda: [Nothing()]) as here, here.connect():
        here.turn()
        (conn,) = here.connections()
        assert not conn.can_move


def test_a_task_may_read_and_send() -> None:
    class Later(Echo):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            conn.pause()

    protocol = Later()
    with served(protocol, lambda: [Framed()]) as here, here.connect() as client:
        client.send(HELLO + frame(b"ab"))
        here.turn_until(lambda: bool(protocol.accepted))
        (conn,) = here.connections()
        here.turn()
        assert conn.recv(1) == b"a"
        conn.send(b"!")
        assert read_exactly(here, client, len(WELCOME) + 3) == WELCOME + frame(b"!")
        assert conn.recv(1) == b"b"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    messages=st.lists(st.binary(min_size=1, max_size=3000), max_size=6),
    cuts=st.lists(st.integers(1, 2000), min_size=1, max_size=8),
    limit=st.integers(1, 5000),
    depth=st.integers(1, 3),
)
def test_any_cutting_of_the_wire_gives_the_same_bytes(
    messages: list[bytes], cuts: list[int], limit: int, depth: int
) -> None:
    """Through one framed layer at the wire and any number of others behind it."""
    protocol = Echo(limit)

    def make() -> list[Layer]:
        return [Framed(), *(Rot13() for _ in range(depth - 1))]

    transform = rot13 if depth == 2 else bytes
    plain = b"".join(messages)
    wire = HELLO + b"".join(frame(transform(message)) for message in messages) + END
    answer = b""
    with served(protocol, make) as here, here.connect() as client:
        turn = 0
        while wire:
            count = client.send(wire[: cuts[turn % len(cuts)]])
            wire = wire[count:]
            turn += 1
            here.turn()
        answer = read_all(here, client)

    inside = Unframer()
    assert answer.startswith(WELCOME)
    assert transform(inside.feed(answer[len(WELCOME) :])) == plain
    assert protocol.received == plain
    assert protocol.reasons == [CloseReason.EOF]
