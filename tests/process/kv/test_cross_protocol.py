"""A browser, or a client of another protocol, gets nowhere: what a web page makes it send is not obeyed."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from kv_client import encode, kv_toml

from corepool.testing.sockets import connect, receive_all, receive_exactly

if TYPE_CHECKING:
    from conftest import Pair

    from corepool.testing.pool import PoolProcess
    from corepool.testing.pools import Pools

SET = encode(("SET", "stolen", "1"))
HEADERS = b"Host: localhost:6379\r\nContent-Length: 20\r\n\r\n"

STREAMS = {
    "post": b"POST / HTTP/1.1\r\n" + HEADERS,
    "post without a host": b"POST / HTTP/1.0\r\n\r\n",
    "bare post": b"pOsT\n",
    "get": b"GET / HTTP/1.1\r\n" + HEADERS,
    "put": b"PUT / HTTP/1.1\r\n" + HEADERS,
    "options": b"OPTIONS * HTTP/1.1\r\n" + HEADERS,
    "host last": b"GET / HTTP/1.1\r\nAccept: */*\r\nhOsT: x\r\n\r\n",
    "host without a value": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "websocket": b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n" + HEADERS,
    "pipelined": b"PING\r\nSET before 1\r\nPOST / HTTP/1.1\r\n" + HEADERS,
    "after arrays": encode(("PING",)) + b"GET / HTTP/1.1\r\n" + HEADERS,
    "in an array": encode(("POST", "/")),
    "host in an array": encode(("PING",)) + encode(("host:", "x")),
    "with a NUL": encode(("Post\0x", "/")),
    "quoted": b'"Host:" x\n',
    "in MULTI": b"MULTI\r\nSET a 1\r\nHost: x\r\nEXEC\r\n",
    "in mid-request": b"GET\r\nSET a\r\n\t Host: x\r\n",
}


def stolen(running: PoolProcess) -> bytes:
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"DEL stolen\r\n")
        return receive_exactly(sock, 4)


@pytest.mark.parametrize("name", STREAMS)
def test_a_browsers_request_ends_the_connection_before_its_content(pair: Pair, name: str) -> None:
    expected, got = pair.ask(STREAMS[name] + SET + b"SET stolen 1\r\n" + SET)

    assert (expected, got) == (b"", b"")
    assert stolen(pair.ours) == b":0\r\n"


@pytest.mark.parametrize("name", ["get", "post", "in an array"])
def test_also_before_the_password_was_sent(pair_with_password: Pair, name: str) -> None:
    assert pair_with_password.ask(STREAMS[name] + b"AUTH sesame\r\n" + SET) == (b"", b"")
    _, got = pair_with_password.ask(b"AUTH sesame\r\nDEL stolen\r\n")
    assert got == b"+OK\r\n:0\r\n"


def test_also_in_small_pieces(pair: Pair) -> None:
    with connect(pair.ours.urls()[0]) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in STREAMS["get"].partition(b"localhost")[0]:
            sock.sendall(bytes((byte,)))
        sock.sendall(b"localhost\r\n")
        received = receive_all(sock)

    assert received in (b"-ERR wrong number of arguments for 'get' command\r\n", b"")
    assert stolen(pair.ours) == b":0\r\n"


def test_what_came_before_has_been_run(pair: Pair) -> None:
    pair.ask(STREAMS["pipelined"])
    expected, got = pair.ask(b"DEL before\r\n")

    assert got == expected == b":1\r\n"


def test_it_is_logged_once_a_minute(pool: Pools) -> None:
    running = pool(kv_toml(workers=1))
    for _ in range(3):
        with connect(running.urls()[0]) as sock:
            sock.sendall(STREAMS["post"])
            assert receive_all(sock) == b""
    with connect(running.urls()[0]) as sock:
        sock.sendall(b"PING\n")
        assert receive_exactly(sock, 7) == b"+PONG\r\n"
    running.wait_logged("kv_cross_protocol_attack")
    assert running.stderr.count("kv_cross_protocol_attack client=127.0.0.1:") == 1
    running.wait_logged("word=POST")
