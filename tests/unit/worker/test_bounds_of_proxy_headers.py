"""The memory that a peer can make a PROXY header use, in each state: a test for each row of bounds.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from proxy_headers import AWS, PROXY, TCP4, ips, tlv, v1, v2

from corepool import hookimpl
from corepool.hot.proxy_protocol import MAX_HEADER_BYTES
from corepool.testing.served import ServedHere

if TYPE_CHECKING:
    import socket

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"
PEER, SERVER = ("203.0.113.7", 4711), ("198.51.100.1", 443)
PAIR = ips(PEER, SERVER)
LONGEST = v2(PROXY, TCP4, PAIR + tlv(AWS, bytes(MAX_HEADER_BYTES - 16 - len(PAIR) - 3)))


class Waits:
    """Reads nothing."""

    @hookimpl
    def on_accept(self, conn: Any) -> None:
        conn.pause()

    @hookimpl
    def on_readable(self, conn: Any) -> None:
        conn.pause()


def serve() -> ServedHere:
    return ServedHere(Waits(), accept_proxy=["unix"], accept_proxy_timeout="1h")


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    ("data", "kept"),
    [(LONGEST, MAX_HEADER_BYTES - 1), (b"PROXY UNKNOWN " + b"x" * 1000, 106), (v2(PROXY, TCP4, bytes(60_000)), 15)],
)
def test_waiting_for_a_header(data: bytes, kept: int) -> None:
    with serve() as here, here.connect() as client:
        client.sendall(data[:kept])
        here.turn()
        (conn,) = here.connections()
        assert conn.session == data[:kept]
        due = conn.next_deadline()
        assert due is not None

        client.sendall(data[kept:])
        if data is LONGEST:
            here.turn_until(lambda: conn.header is not None)
        else:
            here.turn_until(lambda: is_closed(client))
            assert here.service.proxy_failures == 1

    with serve() as here, here.connect() as client:
        client.sendall(data[:kept])
        here.turn()
        (conn,) = here.connections()
        due = conn.next_deadline()
        assert due is not None
        conn.on_deadline(due[1])
        here.turn_until(lambda: is_closed(client))


@pytest.mark.parametrize("header", [v1(PEER, SERVER), LONGEST], ids=["v1", "v2"])
def test_bytes_behind_a_header(header: bytes) -> None:
    with serve() as here, here.connect() as client:
        client.sendall(header + b"x" * 10_000)
        (conn,) = here.connections()
        here.turn_until(lambda: conn.header is not None)
        here.turn()
        assert conn.bytes_in == len(header)


def test_header_of_an_open_connection() -> None:
    with serve() as here, here.connect() as client:
        client.sendall(LONGEST)
        (conn,) = here.connections()
        here.turn_until(lambda: conn.header is not None)
        header = conn.header
        assert header is not None
        assert (
            sys.getsizeof(header.raw) + sum(sys.getsizeof(value) for _, value in header.tlvs) < 2 * len(LONGEST) + 500
        )
        assert conn.session is None


def test_each_row_of_the_page_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## PROXY headers\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    assert len(rows) == 3
    for row in rows:
        assert f"test_{row.replace(' ', '_')}" in globals()
