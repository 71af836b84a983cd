"""What a client has sent by the time its connection begins is served without epoll."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path
from select import EPOLLIN
from typing import TYPE_CHECKING, Any

import pytest

from corepool import CloseReason, TimeoutKind, hookimpl
from corepool.hot.leaving import close_if_idle
from corepool.hot.sockets import has_come, has_come_in_python
from corepool.hot.watching import NoEpoll
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASKED = pytest.mark.parametrize("ask", [has_come, has_come_in_python])


class Full(NoEpoll):
    """An epoll without room."""

    def register(self, fd: int, eventmask: int) -> None:  # noqa: ARG002
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Noting:
    """Answers what it reads, closes after "end", and notes what happens, and where the connection stood."""

    def __init__(self, accept: Callable[[Any], object] = lambda _: None) -> None:
        self.accept = accept
        self.told: list[object] = []
        self.during: Callable[[], object] = lambda: None
        """Called while a request is served."""
        self.known: list[int] = []
        """The number of connections at each hook."""
        self.here: ServedHere

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        self.told.append("accept")
        self.known.append(len(self.here.connections()))
        self.accept(conn)

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        data = conn.recv()
        self.during()
        self.told.append((data, conn in self.here.reactor.sources()))
        self.known.append(len(self.here.connections()))
        if data == b"fail":
            raise ValueError(data)
        conn.send(data)
        if data == b"end":
            conn.close()

    @hookimpl
    def on_close(self, reason: CloseReason) -> None:
        self.told.append(reason)
        self.known.append(len(self.here.connections()))


class Backlog:
    """Begins connections in the reactor's turn, as those of a listening socket."""

    def __init__(self, here: ServedHere, *first: bytes) -> None:
        """Have one begin for each of these, which its client has sent by then."""
        self.here = here
        self.clients: list[socket.socket] = []
        self.waiting: list[socket.socket] = []
        for data in first:
            ours, theirs = socket.socketpair()
            for each in (ours, theirs):
                each.setblocking(False)
            theirs.send(data)
            self.waiting.append(ours)
            self.clients.append(theirs)
        self.rings, self.bell = socket.socketpair()
        self.bell.send(b"x")
        here.reactor.add(self.rings.fileno(), self, EPOLLIN)

    def on_event(self, mask: int) -> None:  # noqa: ARG002
        self.here.reactor.remove(self.rings.fileno())
        for each in self.waiting:
            self.here.service.take_accepted(each.detach())

    def on_failure(self) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> list[socket.socket]:
        return self.clients

    def __exit__(self, *_: object) -> None:
        for each in (self.rings, self.bell, *self.clients):
            each.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Noting, ServedHere]]]:
    made: list[ServedHere] = []

    def start(accept: Callable[[Any], object] = lambda _: None, **settings: object) -> tuple[Noting, ServedHere]:
        noting = Noting(accept)
        noting.here = ServedHere(noting, **settings)
        noting.here.reactor.gather_s = 1000.0
        made.append(noting.here)
        return noting, noting.here

    yield start
    for each in made:
        each.close()


def test_a_request_that_ends_its_connection_is_served_without_epoll(serve: Any) -> None:
    noting, here = serve()
    with here.connect() as client:
        client.send(b"end")
        here.turn()
        assert client.recv(10) == b"end"
        assert client.recv(10) == b""
    assert noting.told == ["accept", (b"end", False), CloseReason.CLOSED]


def test_a_connection_that_stays_is_watched_from_then_on(serve: Any) -> None:
    noting, here = serve()
    with here.connect() as client:
        client.send(b"first")
        here.turn()
        assert client.recv(10) == b"first"
        client.send(b"second")
        here.turn()
        assert client.recv(10) == b"second"
    here.turn_until(lambda: not here.connections())
    assert noting.told == ["accept", (b"first", False), (b"second", True), (b"", True), CloseReason.EOF]


def test_a_hook_is_not_called_before_something_has_come(serve: Any) -> None:
    noting, here = serve()
    with here.connect():
        here.turn()
        here.turn()
        assert noting.told == ["accept"]
        assert len(here.reactor.sources()) == 1
    here.turn()
    assert noting.told == ["accept", (b"", True), CloseReason.EOF]


def test_of_a_crowd_that_has_come_with_its_requests_each_is_served_in_the_turn_that_begins_it(serve: Any) -> None:
    noting, here = serve()
    clients = [here.connect() for _ in range(50)]
    for client in clients:
        client.send(b"end")
    here.turn()
    assert [client.recv(10) for client in clients] == [b"end"] * 50
    assert noting.told.count(CloseReason.CLOSED) == 50
    for client in clients:
        client.close()


@pytest.mark.parametrize("first", [b"", b"first"])
@pytest.mark.parametrize(
    ("accept", "settings", "kind"),
    [(lambda conn: conn.deadline(20), {}, TimeoutKind.READ), (lambda _: None, {"idle_timeout": 20}, TimeoutKind.IDLE)],
    ids=["deadline", "idle_timeout"],
)
def test_a_connection_that_stays_has_its_deadline(
    serve: Any, first: bytes, accept: Callable[[Any], object], settings: dict[str, Any], kind: TimeoutKind
) -> None:
    _, here = serve(accept, **settings)
    with here.connect() as client:
        client.send(first)
        here.turn()
        [conn] = here.connections()
        assert conn.entry is not None
        when, due = conn.next_deadline()
        assert conn.entry.when == when
        assert due is kind


def test_input_of_a_connection_that_on_accept_has_paused_waits(serve: Any) -> None:
    noting, here = serve(lambda conn: conn.pause())
    with here.connect() as client:
        client.send(b"first")
        here.turn()
        here.turn()
        assert noting.told == ["accept"]
        [conn] = here.connections()
        conn.resume()
        here.turn()
        assert client.recv(10) == b"first"
    assert noting.told == ["accept", (b"first", True)]


def test_a_paused_client_that_resets_is_noticed(serve: Any) -> None:
    noting, here = serve(lambda conn: conn.pause(), family=socket.AF_INET)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        ours.setblocking(False)
        here.service.take_accepted(ours.detach())
        here.turn()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        here.turn_until(lambda: not here.connections())
    assert noting.told == ["accept", CloseReason.RESET]


def test_a_connection_that_on_accept_has_closed_is_not_read(serve: Any) -> None:
    def refuse(conn: Any) -> None:
        conn.send(b"no")
        conn.close()

    noting, here = serve(refuse)
    with here.connect() as client:
        client.send(b"first")
        here.turn()
        assert client.recv(10) == b"no"
        assert client.recv(10) == b""
    assert noting.told == ["accept", CloseReason.CLOSED]


def test_a_greeting_leaves_before_the_answer(serve: Any) -> None:
    _, here = serve(lambda conn: conn.send(b"hello, "))
    with here.connect() as client:
        client.send(b"end")
        here.turn()
        assert client.recv(20) == b"hello, end"


def test_behind_a_greeting_above_the_high_water_mark_nothing_is_read_until_the_client_has_read(serve: Any) -> None:
    size = 3_000_000
    noting, here = serve(lambda conn: conn.send(b"x" * size))
    with Backlog(here, b"end") as [client]:
        here.turn()
        here.turn()
        assert noting.told == ["accept"]
        received = b""
        while not received.endswith(b"end"):
            received += client.recv(65_536)
            here.turn()
        assert len(received) == size + 3
    assert noting.told == ["accept", (b"end", True), CloseReason.CLOSED]


def test_a_hook_that_fails_costs_its_connection_once(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    noting, here = serve()
    with here.connect() as client, here.connect() as other:
        client.send(b"fail")
        other.send(b"end")
        here.turn()
        assert client.recv(10) == b""
        assert other.recv(10) == b"end"
    assert noting.told.count(CloseReason.ERROR) == 1
    assert here.service.hook_errors == 1
    assert not here.connections()
    assert len([each for each in caplog.messages if each.startswith("hook_failed")]) == 1


def test_an_answer_that_the_client_takes_later_leaves_by_epoll(serve: Any) -> None:
    size = 3_000_000

    def greet(conn: Any) -> None:
        conn.send(b"x" * size)
        conn.close()

    noting, here = serve(greet)
    with here.connect() as client:
        here.turn()
        received = 0
        while received < size:
            received += len(client.recv(65_536))
            here.turn()
    assert noting.told == ["accept", CloseReason.CLOSED]


def test_a_worker_that_leaves_knows_a_connection_that_is_new_and_keeps_one_with_a_request(serve: Any) -> None:
    _, here = serve()
    with here.connect() as asks, here.connect() as silent:
        asks.send(b"end")
        both = here.connections()
        assert len(both) == 2
        assert not any(conn.is_idle for conn in both), "they do not move before they were looked at"
        for conn in both:
            close_if_idle(conn, here.loop.time())
        assert [conn.closed for conn in both] == [False, True]
        here.turn()
        assert asks.recv(10) == b"end"
        assert silent.recv(10) == b""


def test_connections_are_known_while_others_and_they_themselves_are_served(serve: Any) -> None:
    noting, here = serve()
    clients = [here.connect() for _ in range(3)]
    for client in clients:
        client.send(b"end")
    here.turn()
    assert noting.known == [1, 2, 3, 3, 3, 3, 2, 1, 0]
    for client in clients:
        client.close()


def test_a_connection_that_on_accept_has_closed_is_known_until_its_output_has_left(serve: Any) -> None:
    size = 3_000_000
    answers = [b"", b"x" * size]

    def answer(conn: Any) -> None:
        conn.send(answers.pop(0))
        conn.close()

    noting, here = serve(answer)
    with here.connect(), here.connect() as reads:
        here.turn()
        assert noting.known == [1, 2, 1]
        received = 0
        while received < size:
            received += len(reads.recv(65_536))
            here.turn()
    assert noting.known == [1, 2, 1, 0]


def test_the_reply_to_a_first_request_is_not_lost_when_epoll_has_no_room(serve: Any) -> None:
    noting, here = serve()
    reactor = here.reactor
    before = reactor.epoll, reactor.epoll_fd

    clients = [here.connect() for _ in range(2)]
    for client in clients:
        client.send(b"first")
    with Path(os.devnull).open() as no_epoll:  # the compiled reactor has the number, the other one the object

        def fill() -> None:
            reactor.epoll, reactor.epoll_fd = Full(), no_epoll.fileno()

        noting.during = fill
        here.turn()
        reactor.epoll, reactor.epoll_fd = before
    assert [client.recv(10) for client in clients] == [b"first"] * 2
    here.turn()
    assert [client.recv(10) for client in clients] == [b""] * 2
    for client in clients:
        client.close()


@ASKED
def test_input_has_come_when_there_is_some(ask: Callable[[int], bool]) -> None:
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        assert not ask(ours.fileno())
        theirs.send(b"x")
        assert ask(ours.fileno())
        ours.recv(1)
        assert not ask(ours.fileno())
        theirs.shutdown(socket.SHUT_WR)
        assert not ask(ours.fileno()), "the end is for epoll to tell"


@ASKED
def test_where_the_kernel_cannot_tell_nothing_has_come(ask: Callable[[int], bool]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        assert not ask(listening.fileno())
