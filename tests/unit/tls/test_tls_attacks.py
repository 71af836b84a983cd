"""Clients that speak TLS as no library does: each costs a PeerError at most, and little of anything."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from certificates import server_context
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_records import DATA, HANDSHAKE, KEY_UPDATE, RawClient, open_raw

from corepool import PeerError
from corepool.tls.hello import HEAD_BYTES, MAX_BYTES
from corepool.tls.layer import MAX_SILENT, RECORD_BYTES, TlsLayer
from corepool.tls.records import Records

if TYPE_CHECKING:
    import ssl

ROOT = Path(__file__).parents[3]


def opened(context: ssl.SSLContext | None = None) -> tuple[TlsLayer, RawClient]:
    server = TlsLayer(context or server_context())
    with tempfile.TemporaryDirectory() as folder:
        return server, open_raw(server, Path(folder) / "keys")


# --- the first message


def claiming(size: int) -> bytes:
    return b"\x16\x03\x01\x00\x04\x01" + size.to_bytes(3)


@pytest.mark.parametrize("piece", [1, 5, 100])
@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (claiming(0x1FFFC), "other"),
        (claiming(MAX_BYTES + 1), "other"),
        (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "not_tls"),
        (b"\x16\x03\x01\x00\x03\x01\x00\x00\x16", "not_tls"),
        (b"\x16\x04", "not_tls"),
    ],
)
def test_first_message(head: bytes, reason: str, piece: int) -> None:
    server = TlsLayer(server_context())

    def feed() -> None:
        for place in range(0, len(head), piece):
            assert not server._incoming.pending  # noqa: SLF001  # OpenSSL has nothing
            server.received(head[place : place + piece])

    with pytest.raises(PeerError) as raised:
        feed()

    assert raised.value.reason == reason
    assert not server._incoming.pending  # noqa: SLF001
    assert server.output().startswith(b"\x15")


def test_a_client_hello_is_waited_for_byte_by_byte() -> None:
    server = TlsLayer(server_context())
    head = claiming(MAX_BYTES)
    for place in range(HEAD_BYTES):
        server.received(head[place : place + 1])

    assert server._first is None  # noqa: SLF001  # OpenSSL has it
    assert server.output() == b""


# --- records without data


def test_records_without_data() -> None:
    server, client = opened()
    for _ in range(MAX_SILENT):
        assert server.received(client.change_keys()) == b""

    with pytest.raises(PeerError, match="records without data"):
        server.received(client.change_keys())


def test_data_in_between_does_not_hide_it() -> None:
    server, client = opened()
    pieces = [b"".join(client.change_keys() for _ in range(20)) + client.record(b"x") for _ in range(2)]

    assert server.received(pieces[0]) == b"x"
    with pytest.raises(PeerError, match="records without data"):
        server.received(pieces[1])


def test_key_updates_now_and_then_and_padding_are_served() -> None:
    server, client = opened()
    for _ in range(3 * MAX_SILENT):
        wire = client.change_keys() + client.record(b"x", padding=3000)
        assert server.received(wire[:100]) + server.received(wire[100:]) == b"x"


@given(bodies=st.lists(st.integers(0, 300), max_size=10), cuts=st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_records_are_counted_however_they_are_cut(bodies: list[int], cuts: list[int]) -> None:
    wire = b"".join(b"\x17\x03\x03" + body.to_bytes(2) + bytes(body) for body in bodies if body)
    records, found, turn = Records(), 0, 0
    while wire:
        cut = cuts[turn % len(cuts)]
        found += records.ended_in(wire[:cut])
        wire, turn = wire[cut:], turn + 1

    assert found == sum(map(bool, bodies))


def test_part_of_a_record() -> None:
    server, _ = opened()
    assert server.received(b"\x17\x03\x03\x41\x00" + bytes(1000)) == b""

    another, _ = opened()
    with pytest.raises(PeerError, match="length too long"):
        another.received(b"\x17\x03\x03\x42\x00" + bytes(1000))


# --- parts of messages


def test_output_behind_a_part_of_a_message_is_the_peers_fault() -> None:
    server, client = opened()
    assert server.received(client.record(b"x") + client.record(KEY_UPDATE[:4], HANDSHAKE)) == b"x"

    with pytest.raises(PeerError, match="part of a message"):
        server.sent(b"answer")


_CONTEXT = server_context()


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.sampled_from([DATA, HANDSHAKE, 21, 20, 24]), st.binary(max_size=40)),
            st.tuples(st.just(HANDSHAKE), st.sampled_from([KEY_UPDATE, KEY_UPDATE[:2], b"\x04\0\0\0", b"\x01\0\1\0"])),
        ),
        max_size=6,
    )
)
def test_no_record_of_a_peer_makes_another_error_than_a_peer_error(steps: list[tuple[int, bytes]]) -> None:
    server, client = opened(_CONTEXT)
    try:
        for kind, content in steps:
            server.received(client.record(content, kind))
            server.output()
            server.sent(b"x" * RECORD_BYTES * 2)
        server.finish()
    except PeerError:
        server.output()


def test_every_row_of_the_page_has_a_test() -> None:
    page = (ROOT / "docs" / "explanation" / "bounds.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|", page.partition("\n## TLS\n")[2].partition("\n## ")[0], re.MULTILINE)[1:]
    tests = Path(__file__).read_text() + (ROOT / "tests" / "unit" / "transports" / "test_tls_sessions.py").read_text()
    assert len(rows) == 5
    for row in rows:
        assert f"\ndef test_{row.replace(' ', '_')}(" in tests
