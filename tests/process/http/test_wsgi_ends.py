"""The ends of WSGI responses (PEP 3333), and the calls of close() on their iterables; in the loop and in threads."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from endings import ERRORS
from http_client import APPLICATIONS, Response, http_toml, parse, request

from corepool.testing.pools import Pools
from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corepool.testing.pool import PoolProcess

NUMBERS = itertools.count()


class Asked:
    """A pool, one of its listeners, and the requests sent to it."""

    def __init__(self, running: PoolProcess) -> None:
        self.running = running
        self.number = ""

    @property
    def is_in_loop(self) -> bool:
        return "threads = 0" in (self.running.directory / "corepool.toml").read_text()

    def raw(self, path: str, method: str = "GET", version: str = "1.1", **wishes: object) -> bytes:
        self.number = str(next(NUMBERS))
        head = request(path, f"X-Number: {self.number}", f"X-Wishes: {json.dumps(wishes)}", method=method)
        return head.replace(b"HTTP/1.1", b"HTTP/" + version.encode())

    def get(self, path: str, method: str = "GET", **wishes: object) -> Response:
        with connect(self.running.urls()[0]) as sock:
            sock.sendall(self.raw(path, method, **wishes))
            [response] = parse(receive_all(sock), [method])
        return response

    def events(self) -> list[str]:
        number = self.number
        found: list[str] = json.loads(self.get("/events", of=number).body)
        self.number = number
        return found


@pytest.fixture(scope="module", params=[0, 2], ids=["loop", "threads"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    with Pools() as pools:
        running = pools(
            http_toml(target="endings:application", directory=str(APPLICATIONS), threads=request.param),
            traceback=True,
        )
        yield Asked(running)


@pytest.mark.parametrize("error", [*ERRORS])
@pytest.mark.parametrize("headers", [[], [["Content-Length", "6"]]], ids=["chunks", "length"])
def test_a_close_that_raises_costs_nothing_of_the_response(asked: Asked, headers: list[Any], error: str) -> None:
    worker = asked.running.workers()
    response = asked.get("/pieces", headers=headers, close=error)
    assert (response.status, response.body) == (200, b"onetwo")
    wait_until(lambda: asked.events() == ["close"])
    asked.running.wait_logged("response_close_failed")
    assert asked.running.workers() == worker


def test_a_close_that_can_not_be_found_costs_nothing_of_the_response(asked: Asked) -> None:
    assert asked.get("/property").body == b"onetwo"


@pytest.mark.parametrize("error", [*ERRORS])
@pytest.mark.parametrize("wishes", [{"iter": ""}, {"next": "", "fails_at": 2}, {"iter": "", "close": "panic"}], ids=str)
def test_an_iterable_that_fails_before_its_content_is_a_500_and_closed_once(
    asked: Asked, wishes: dict[str, Any], error: str
) -> None:
    wishes = {key: value or error for key, value in wishes.items()}
    assert asked.get("/pieces", **wishes).status == 500
    wait_until(lambda: asked.events() == ["close"])


@pytest.mark.parametrize("error", [*ERRORS])
def test_an_iterable_that_fails_after_content_is_closed_once(asked: Asked, error: str) -> None:
    with connect(asked.running.urls()[0]) as sock:
        sock.sendall(asked.raw("/pieces", next=error, fails_at=1))
        received = receive_all(sock)
    assert received.endswith(b"3\r\none\r\n")  # and no last chunk: the client sees that it is not whole
    wait_until(lambda: asked.events() == ["close"])


def test_a_response_is_started_as_late_as_the_first_piece(asked: Asked) -> None:
    assert asked.get("/late").body == b"firstsecond"
    wait_until(lambda: asked.events() == ["close"])


def test_a_response_that_is_never_started_is_a_500(asked: Asked) -> None:
    assert asked.get("/unstarted").status == 500
    wait_until(lambda: asked.events() == ["close"])


def test_a_block_does_not_wait_for_the_next(asked: Asked, tmp_path: Path) -> None:
    """PEP 3333, "Buffering and Streaming"."""
    with connect(asked.running.urls()[0]) as sock:
        sock.sendall(asked.raw("/late", waits=str(tmp_path / "go on")))
        received = b""
        while b"first" not in received:
            received += sock.recv(65_536)
        assert b"second" not in received
        (tmp_path / "go on").touch()
        assert b"second" in receive_all(sock)


@pytest.mark.parametrize("headers", [[], [["Content-Length", "6"]]], ids=["chunks", "length"])
def test_a_response_does_not_wait_for_close(asked: Asked, tmp_path: Path, headers: list[Any]) -> None:
    """Flask's call_on_close is the usual place for work after a response."""
    with connect(asked.running.urls()[0]) as sock:
        sock.sendall(asked.raw("/pieces", headers=headers, waits=str(tmp_path / "go on")))
        received = b""
        while not (received.endswith(b"0\r\n\r\n") or b"onetwo" in received):
            piece = sock.recv(65_536)
            assert piece
            received += piece
        (tmp_path / "go on").touch()
    wait_until(lambda: asked.events() == ["close"])


def test_a_list_with_a_close_is_closed(asked: Asked) -> None:
    assert asked.get("/list").body == b"one"
    wait_until(lambda: asked.events() == ["close"])


def test_written_content_comes_before_that_of_the_iterable(asked: Asked) -> None:
    assert asked.get("/write").body == b"zero onetwo"
    wait_until(lambda: asked.events() == ["close"])


def test_an_error_replaces_a_response_that_has_not_begun(asked: Asked) -> None:
    response = asked.get("/exc-info")
    assert (response.status, response.body) == (503, b"sorry")


@pytest.mark.parametrize("kind", ["list", "tuple", "iterator", "pieces"])
def test_no_content_is_a_length_of_0(asked: Asked, kind: str) -> None:
    response = asked.get("/empty", kind=kind)
    assert (response.status, response.header("content-length"), response.body) == (200, "0", b"")


def test_any_number_of_empty_pieces_is_passed_over(asked: Asked) -> None:
    assert asked.get("/many-empty").body == b"content"


def test_head_has_no_content_and_closes_the_iterable(asked: Asked) -> None:
    response = asked.get("/pieces", method="HEAD", headers=[["Content-Length", "6"]])
    assert (response.status, response.header("content-length")) == (200, "6")
    wait_until(lambda: asked.events() == ["close"])


def test_buffers_are_content(asked: Asked) -> None:
    assert asked.get("/buffers").body == b"onetwothree"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("none", "the application returned None: an iterable of bytes is expected"),
        ("number", "the application returned int 5: an iterable of bytes is expected"),
        ("text", "the application returned str 'text': an iterable of bytes is expected"),
        ("bytes", "the application returned bytes b'bytes': an iterable of bytes is expected"),
        ("coroutine", r"is it an ASGI application? Then set interface = \"asgi\""),
        ("list of none", "content is None: bytes are expected"),
        ("list of text", "content is str 'text': bytes are expected"),
        ("list of numbers", "content is int 1: bytes are expected"),
        ("yields none", "content is None: bytes are expected"),
        ("yields text", "content is str 'text': bytes are expected"),
        ("text file", "content is str 'text': bytes are expected"),
        ("wrapper of nothing", "'NoneType' object has no attribute 'read'"),
    ],
)
def test_anything_but_content_is_a_500_and_reported_in_words(asked: Asked, kind: str, words: str) -> None:
    assert asked.get("/odd", kind=kind).status == 500
    wait_until(lambda: words in asked.running.stderr)


@pytest.mark.parametrize("path", ["/endless", "/endless-empty", "/write-endless"])
def test_an_application_without_an_end_ends_with_its_client(asked: Asked, path: str) -> None:
    """In the loop the others have their turns meanwhile; but write() can't wait there, so output_limit ends it."""
    worker = asked.running.workers()
    with connect(asked.running.urls()[0]) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends a reset
        sock.sendall(asked.raw(path))
        number = asked.number
        if path != "/endless-empty":
            with contextlib.suppress(ConnectionResetError):
                sock.recv(1)
        assert asked.get("/list").body == b"one"
    asked.number = number
    wait_until(lambda: asked.events() == ["close"])
    assert asked.running.workers() == worker


def test_a_client_that_has_ended_its_side_gets_its_response_though_no_thread_is_free(
    asked: Asked, tmp_path: Path
) -> None:
    """In the loop there is nothing to wait for: requests are served one by one."""
    waits = str(tmp_path / "go on")
    with contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connect(asked.running.urls()[0])) for _ in range(2)]
        for sock in busy:
            sock.sendall(asked.raw("/late", waits=waits))
            assert sock.recv(1)
            if asked.is_in_loop:
                break
        waiting = stack.enter_context(connect(asked.running.urls()[0]))
        waiting.sendall(asked.raw("/list"))
        waiting.shutdown(socket.SHUT_WR)
        if not asked.is_in_loop:
            wait_until(lambda: asked.running.status()["workers"][0]["threads_waiting"] == 1)
        (tmp_path / "go on").touch()
        assert receive_all(waiting).endswith(b"one\r\n0\r\n\r\n")
