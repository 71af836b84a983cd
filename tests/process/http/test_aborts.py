"""A client may go at any moment: nothing of it stays behind, and no other client notices."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import psutil
import pytest
from http_client import get, request
from test_requests import CHUNKED, POST

from corepool.testing.sockets import connect, reset
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool.testing.pool import PoolProcess


def end(sock: socket.socket) -> None:
    """Close with nothing more to say."""
    sock.close()


def end_and_read_on(sock: socket.socket) -> None:
    """End one's own side, take one piece of what comes, and go."""
    try:
        sock.shutdown(socket.SHUT_WR)
        sock.recv(10)
    except OSError:
        pass  # it was closed before
    sock.close()


UPGRADE = request(
    "/echo",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    close=False,
)
WHOLE = {
    "a plain request": request("/", close=False),
    "requests behind each other": request("/", close=False) * 5,
    "a length": POST + b"Content-Length: 30\r\n\r\n" + b"x" * 30,
    "chunks": CHUNKED + b"3\r\nabc\r\n5;e=f\r\nabcde\r\n0\r\nA: b\r\n\r\n",
    "a wait for 100": POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nabcde",
    "a large response": request("/large/6553600", close=False),
    "an error": request("/raise", close=False),
}


@pytest.mark.parametrize("go", [end, end_and_read_on, reset])
def test_a_client_of_wsgi_may_go_at_any_moment(wsgi: PoolProcess, go: Callable[[socket.socket], None]) -> None:
    go_at_any_moment(wsgi, go, WHOLE)


@pytest.mark.parametrize("go", [end, end_and_read_on, reset])
def test_a_client_of_asgi_may_go_at_any_moment(asgi: PoolProcess, go: Callable[[socket.socket], None]) -> None:
    def tasks() -> int:
        return int(get(asgi, "/tasks").body)

    before = tasks()
    go_at_any_moment(asgi, go, WHOLE | {"a WebSocket": UPGRADE})
    wait_until(lambda: tasks() <= before)


def go_at_any_moment(pool: PoolProcess, go: Callable[[socket.socket], None], streams: dict[str, bytes]) -> None:
    [pid] = pool.workers()
    worker = psutil.Process(pid)
    assert get(pool, "/").status == 200
    descriptors = worker.num_fds()

    for name, stream in streams.items():
        for length in range(1, len(stream) + 1, 1 if len(stream) < 100 else 7):
            sock = connect(pool.urls()[0])
            sock.sendall(stream[:length])
            if length == len(stream) and name == "a large response":
                sock.recv(1)
            go(sock)
    wait_until(lambda: worker.num_fds() <= descriptors)
    assert pool.workers() == [pid]
    assert get(pool, "/").status == 200
