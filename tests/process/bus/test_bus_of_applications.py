"""Applications find the bus by an import: in coroutines, and in threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_client import request
from sources import source

from corepool.testing.sockets import receive_all

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


@pytest.mark.parametrize(("target", "options"), [("asgi", ()), ("wsgi", ("-o", "threads=4"))])
def test_a_request_in_one_worker_is_answered_by_a_message_from_another(
    pool: Pools, target: str, options: tuple[str, ...]
) -> None:
    running = pool.serve(
        "http",
        "-b",
        "tcp://127.0.0.1:0",
        "-w",
        "2",
        "-d",
        "round-robin",
        "-o",
        f"target=on_the_bus:{target}",
        *options,
        files={"on_the_bus.py": source("served/on_the_bus.py")},
    )
    listening = [running.connect() for _ in range(4)]  # two in each worker
    for sock in listening:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while b"subscribed\n" not in received:
            piece = sock.recv(65_536)
            assert piece, received
            received += piece

    publisher = running.connect()
    publisher.sendall(request("/publish", method="POST", content=b"hello"))
    assert receive_all(publisher).startswith(b"HTTP/1.1 200 OK")

    for sock in listening:
        assert b"news.x hello" in receive_all(sock)
