"""Layers that a protocol puts on a connection that it has met in the clear, over real sockets, in this process."""

from __future__ import annotations

import socket
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import ALERT, END, HELLO, WELCOME, Framed, Nothing, Unframer, frame

from corepool import CloseReason, Layer, hookimpl
from corepool.hot.leaving import close_if_idle, notify_drain
from corepool.ipc.crash_slots import Status
from corepool.testing.served import Plain, ServedHere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from corepool import Address


class Later(Plain):
    """Socket pairs that begin in the clear."""

    def __init__(self, make: Callable[[], Sequence[Layer]] = lambda: [Framed()]) -> None:
        self._make = make

    def tls_layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        return self._make()


class Lines:
    """Answers each line; after START the rest of the conversation goes through the layer."""

    def __init__(self, *, before: bytes = b"", within: bytes = b"", pieces: int = 1) -> None:
        self.before = before
        """Is sent before the answer to START."""
        self.within = within
        """Is sent right after `start_tls`."""
        self.pieces = pieces
        self.conn: Any = None
        self.lines: list[bytes] = []
        self.happened: list[object] = []
        self._rest = b""

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.conn = conn

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        *lines, self._rest = (self._rest + conn.recv()).split(b"\n")
        for line in lines:
            self.lines.append(line)
            if line == b"START":
                self._rest = b""
                for _ in range(self.pieces):
                    conn.send(self.before)
                conn.send(b"go\n")
                conn.start_tls()
                conn.send(self.within)
                assert conn.recv() == b""
                return
            conn.send(b"<" + line + b">\n")

    @hookimpl
    def on_tls(self, conn: Any) -> None:
        self.happened.append(dict(conn.facts))

    @hookimpl
    def on_writable(self) -> None:
        self.happened.append("writable")

    @hookimpl
    def on_drain(self) -> None:
        self.happened.append("drain")

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.happened.append(reason)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[ServedHere, socket.socket]]]:
    opened: list[ServedHere | socket.socket] = []

    def start(protocol: object, **options: Any) -> tuple[ServedHere, socket.socket]:
        crash_slot = options.pop("crash_slot", 0)
        here = ServedHere(protocol, **{"transport": Later(), **options})
        client = here.connect(crash_slot)
        opened.extend((client, here))
        return here, client

    yield start
    for each in opened:
        each.close()


def read(here: ServedHere, client: socket.socket, count: int) -> bytes:
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


def read_frames(here: ServedHere, client: socket.socket, count: int) -> bytes:
    """Return `count` bytes of plaintext, however they are framed."""
    unframed, found = Unframer(), b""

    def is_enough() -> bool:
        nonlocal found
        try:
            found += unframed.feed(client.recv(65_536))
        except BlockingIOError:
            return False
        return len(found) >= count

    here.turn_until(is_enough)
    return found


def ask(here: ServedHere, client: socket.socket, sent: bytes, expected: bytes) -> None:
    client.send(sent)
    assert read(here, client, len(expected)) == expected


def test_the_answer_leaves_in_the_clear_and_the_rest_through_the_layer(serve: Any) -> None:
    lines = Lines(within=b"and more\n")
    here, client = serve(lines)
    ask(here, client, b"one\nSTART\n", b"<one>\ngo\n")
    assert lines.conn.facts == {}
    ask(here, client, HELLO, WELCOME + frame(b"and more\n"))
    ask(here, client, frame(b"two\n"), frame(b"<two>\n"))

    assert lines.lines == [b"one", b"START", b"two"]
    assert lines.happened == [{"framed": True}]
    assert lines.conn.facts == {"framed": True}
    client.close()
    here.turn_until(lambda: CloseReason.LAYER in lines.happened)


@pytest.mark.parametrize("how", ["in the same segment", "while the answer waits", "before the worker looks"])
def test_bytes_that_come_in_the_clear_are_dropped(serve: Any, how: str) -> None:
    """What an attacker puts behind the command must not be taken for the client's, once that speaks in secret."""
    lines = Lines(before=b"x" * 1000, pieces=2000 if how == "while the answer waits" else 0)
    here, client = serve(lines)
    if how == "in the same segment":
        client.send(b"START\nevil\n")
    elif how == "before the worker looks":
        client.send(b"START\n" + b" " * 65_530)  # `recv` returns the first 64 KiB
        client.send(b"evil\n")
    else:
        client.send(b"START\n")
        here.turn_until(lambda: lines.conn.buffered)
        client.send(b"evil\n" * 5000)
    assert read(here, client, lines.pieces * 1000 + 3)[-3:] == b"go\n"
    ask(here, client, HELLO + frame(b"two\n"), WELCOME + frame(b"<two>\n"))

    assert lines.lines == [b"START", b"two"]


def test_a_client_that_speaks_while_the_layer_is_not_awaited_yet_is_heard(serve: Any) -> None:
    """The answer has left before `start_tls`: input since then is its handshake."""

    class Late(Lines):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            if conn.facts:
                super().on_readable(conn)
            elif (data := conn.recv()) == b"START\n":
                conn.send(b"go\n")
            else:
                self.early = data

    lines = Late()
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    client.send(HELLO[:3])
    here.turn_until(lambda: hasattr(lines, "early"))
    client.send(HELLO[3:] + frame(b"two\n"))
    lines.conn.start_tls(received=lines.early)
    assert read(here, client, len(WELCOME) + 8) == WELCOME + frame(b"<two>\n")


def test_a_layer_that_is_open_at_once_serves_what_follows(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines, transport=Later(lambda: [Nothing()]))
    ask(here, client, b"START\n", b"go\n")
    here.turn_until(lambda: lines.happened == [{}])
    ask(here, client, b"two\n", b"<two>\n")


def test_a_file_before_it_leaves_in_the_clear(serve: Any) -> None:
    class WithFile(Lines):
        @hookimpl
        def on_readable(self, conn: Any) -> None:
            if not conn.facts:
                conn.recv()
                with tempfile.TemporaryFile() as file:
                    file.write(b"f" * 300_000)
                    file.flush()
                    conn.sendfile(file, 0, 300_000)
                conn.start_tls()
                return
            super().on_readable(conn)

    here, client = serve(WithFile())
    client.send(b"START\n")
    assert read(here, client, 300_000) == b"f" * 300_000
    ask(here, client, HELLO + frame(b"two\n"), WELCOME + frame(b"<two>\n"))


def test_output_that_waits_for_the_handshake_counts_as_buffered_and_does_not_spin(serve: Any) -> None:
    lines = Lines(within=b"w" * 600_000)
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    assert lines.conn.congested
    assert here.reactor.epoll.poll(0) == []
    client.send(HELLO)
    assert read(here, client, len(WELCOME)) == WELCOME
    assert read_frames(here, client, 600_000) == b"w" * 600_000
    here.turn_until(lambda: len(lines.happened) == 2)
    assert lines.happened == [{"framed": True}, "writable"]


def test_wrong_bytes_end_it_with_the_reason_layer(serve: Any) -> None:
    lines = Lines(within=b"secret\n")
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    ask(here, client, b"GET / HTTP/1.0\n", ALERT)
    here.turn_until(lambda: lines.happened == [CloseReason.LAYER])
    assert here.service.layer_failures == 1


@pytest.mark.parametrize("half_open", [False, True])
def test_a_client_that_ends_within_the_handshake_ends_it(serve: Any, half_open: bool) -> None:  # noqa: FBT001
    lines = Lines()
    here, client = serve(lines)
    lines.conn.half_open = half_open
    ask(here, client, b"START\n", b"go\n")
    client.send(HELLO[:3])
    client.shutdown(socket.SHUT_WR)
    here.turn_until(lambda: lines.happened == [CloseReason.LAYER])
    assert here.service.layer_failures == 1


def test_a_client_that_has_ended_before_is_met_by_the_layer(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines)
    lines.conn.half_open = True
    client.send(b"START\n")
    client.shutdown(socket.SHUT_WR)
    here.turn_until(lambda: lines.happened == [CloseReason.LAYER])


def test_a_stalled_handshake_is_closed_by_its_deadline(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines, idle_timeout=300)
    ask(here, client, b"START\n", b"go\n")
    client.send(HELLO[:3])
    here.turn()
    due = lines.conn.next_deadline()
    assert due is not None
    assert due[0] - here.reactor.now <= 10
    lines.conn.on_deadline(due[1])
    here.turn_until(lambda: lines.happened == [CloseReason.TIMEOUT])
    assert here.service.layer_failures == 1


def test_deadlines_and_idle_time_count_again_after_it(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines, idle_timeout=300)
    ask(here, client, b"START\n", b"go\n")
    ask(here, client, HELLO, WELCOME)
    due = lines.conn.next_deadline()
    assert due is not None
    assert due[1] == "idle"


def test_the_protocol_may_close_at_once(serve: Any) -> None:
    lines = Lines(within=b"never\n")
    here, client = serve(lines)
    client.send(b"START\n")
    here.turn_until(lambda: lines.conn.layers is not None)
    lines.conn.close()
    assert read(here, client, 3) == b"go\n"
    here.turn_until(lambda: lines.happened == [CloseReason.CLOSED])
    assert here.service.layer_failures == 0
    assert client.recv(100) == b""


def test_this_side_may_end_at_once(serve: Any) -> None:
    lines = Lines(within=b"all\n")
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    lines.conn.send_eof()
    ask(here, client, HELLO, WELCOME + frame(b"all\n") + END)
    assert lines.happened == [{"framed": True}]


def test_a_drain_in_the_handshake_is_told_and_closes(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    notify_drain(lines.conn)
    close_if_idle(lines.conn, here.reactor.now)
    here.turn_until(lambda: lines.happened == ["drain", CloseReason.DRAIN])
    assert here.service.layer_failures == 0


def test_wrong_calls_are_refused_in_words(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    with pytest.raises(RuntimeError, match="encrypted already"):
        lines.conn.start_tls()
    ask(here, client, HELLO, WELCOME)
    with pytest.raises(RuntimeError, match="encrypted already"):
        lines.conn.start_tls()
    lines.conn.abort()
    lines.conn.start_tls()

    plain = Lines()
    there, _ = serve(plain, transport=Plain())
    there.turn_until(lambda: plain.conn is not None)
    with pytest.raises(RuntimeError, match="the listener 'test' has no certificates"):
        plain.conn.start_tls()
    plain.conn.send_eof()
    with pytest.raises(RuntimeError, match="this side has been ended"):
        plain.conn.start_tls()


def test_it_stays_with_its_worker(serve: Any) -> None:
    lines = Lines()
    here, client = serve(lines)
    ask(here, client, b"START\n", b"go\n")
    ask(here, client, HELLO, WELCOME)
    assert lines.conn.is_idle
    assert not lines.conn.can_move


def test_it_does_not_outlive_a_crash(serve: Any) -> None:
    class Moves(Lines):
        @hookimpl
        def on_freeze(self) -> bytes:
            return b""

        @hookimpl
        def on_thaw(self) -> None: ...

    lines = Moves()
    here, client = serve(lines, crash_slot=5)
    statuses = here.crash_slots.statuses
    ask(here, client, b"one\n", b"<one>\n")
    assert statuses[5] == Status.IDLE
    ask(here, client, b"START\n", b"go\n")
    assert statuses[5] == Status.SPEAKING
    ask(here, client, HELLO, WELCOME)
    ask(here, client, frame(b"two\n"), frame(b"<two>\n"))
    assert lines.conn.is_idle
    assert statuses[5] == Status.SPEAKING


@settings(deadline=None, max_examples=100)
@given(cuts=st.lists(st.integers(1, 40), max_size=12), behind=st.binary(max_size=30))
def test_however_the_bytes_are_cut_the_conversation_is_the_same(cuts: list[int], behind: bytes) -> None:
    lines = Lines()
    with ServedHere(lines, transport=Later()) as here, here.connect() as client:
        answer, command = b"<one>\ngo\n", b"one\nSTART\n"
        ask_in_pieces(here, client, command[:-1], cuts)
        client.send(command[-1:] + behind)
        assert read(here, client, len(answer)) == answer
        ask_in_pieces(here, client, HELLO + frame(b"two\nthree\n"), cuts)
        assert read(here, client, len(WELCOME)) == WELCOME
        assert read_frames(here, client, 14) == b"<two>\n<three>\n"
        assert lines.lines == [b"one", b"START", b"two", b"three"]


def ask_in_pieces(here: ServedHere, client: socket.socket, data: bytes, cuts: list[int]) -> None:
    for cut in [*cuts, len(data)]:
        client.send(data[:cut])
        data = data[cut:]
        here.turn()
