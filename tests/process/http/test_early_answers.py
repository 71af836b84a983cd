"""A client that is still sending when its response comes can read that response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import parse
from scripted_pool import literal, scripted_pool

from corepool.testing.sockets import connect, receive_all
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

SIZE = 20 * 2**20
REFUSED = literal(401, [], [b"who are you?"])
EARLY = {
    "413 by length": ("loop", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % SIZE, 413),
    "413 by chunks": ("loop", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % SIZE, 413),
    "401 of an application": ("asgi", b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n", 401),
    "400": ("loop", b"POST / HTTP/1.1\r\nHost a\r\n\r\n", 400),
    "431": ("loop", b"POST / HTTP/1.1\r\nHost: a\r\nA: ", 431),
    "501": ("threads", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
}


@pytest.fixture(scope="module")
def running() -> Iterator[PoolProcess]:
    with scripted_pool(max_body=2**20) as pool:
        yield pool


@pytest.mark.parametrize("name", EARLY)
def test_an_early_answer_can_be_read(running: PoolProcess, name: str) -> None:
    mode, head, status = EARLY[name]
    if status == 401:
        head %= REFUSED.encode()
    with connect(running.urls(mode)[0]) as sock:
        sock.sendall(head)
        block = b"x" * 65_536
        for _ in range(900_000 if status == 401 else SIZE, 0, -len(block)):
            sock.sendall(block)
        [response] = parse(receive_all(sock), ["POST"])
    assert (response.status, response.header("connection")) == (status, "close")


def test_a_client_that_sends_no_more_and_does_not_end_is_not_waited_for(running: PoolProcess) -> None:
    def connections() -> int:
        return sum(worker["connections"] for worker in running.status()["workers"])

    with connect(running.urls("loop")[0]) as sock:
        sock.sendall(EARLY["413 by length"][1])
        [response] = parse(receive_all(sock), ["POST"])
        assert response.status == 413
        wait_until(lambda: connections() == 0)
