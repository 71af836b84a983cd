"""What first bytes that tell a protocol, or TLS, can make a worker keep: a test for each row of bounds.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from layers import Framed, Layered
from three_protocols import Told, only

from corepool.plugins.recognition import MAX_LOOKED_AT
from corepool.spec.types import TimeoutKind

if TYPE_CHECKING:
    import socket

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"


class Mixed(Layered):
    """Has clients of both kinds, and never knows."""

    takes_plain = True

    def __init__(self) -> None:
        super().__init__(lambda: [Framed()])

    def matches(self, data: bytes) -> bool | None:
        assert len(data) <= MAX_LOOKED_AT
        return None


def keeps_nothing_until_it_is_due(told: Told, client: socket.socket) -> None:
    client.sendall(b"o" * (MAX_LOOKED_AT - 1))
    conn = only(told)
    for _ in range(10):
        told.here.turn()
    assert (conn.session, conn.bytes_in) == (None, 0), "all of it is in the kernel"
    due = conn.next_deadline()
    assert due is not None
    assert due[1] is TimeoutKind.READ


def test_waiting_to_be_recognised() -> None:
    for ending in ("bytes", "time"):
        told = Told(default=False, sniff_timeout="1h")
        told.one.is_undecided = told.two.is_undecided = True
        client = told.connect()
        keeps_nothing_until_it_is_due(told, client)
        if ending == "bytes":
            client.sendall(b"o")
        else:
            only(told).on_deadline(TimeoutKind.READ)
        assert told.receive_end(client) == b""
        told.close()


def test_telling_TLS_from_plain() -> None:  # noqa: N802 - the row's name
    for ending in ("bytes", "time"):
        told = Told(transport=Mixed(), sniff_timeout="1h")
        client = told.connect()
        keeps_nothing_until_it_is_due(told, client)
        if ending == "bytes":
            client.sendall(b"x")
        else:
            only(told).on_deadline(TimeoutKind.READ)
            client.sendall(b"x")
        assert told.receive(client, b"x").startswith(b"hello\nlast:o"), "it has no TLS"
        told.close()


def test_each_row_of_the_page_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## First bytes\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    assert len(rows) == 2
    for row in rows:
        assert f"test_{row.replace(' ', '_')}" in globals()
