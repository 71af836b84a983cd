"""The TLS layer in memory: handshake, records, ends and failures, against the client's side of the standard library."""

from __future__ import annotations

import os
import ssl
from functools import cache

import pytest
from certificates import authority_pem, client_context, load, pair, server_context
from hypothesis import given, settings
from hypothesis import strategies as st
from tls_client import TlsClient

from corepool import ClientCertificate, PeerError
from corepool.tls.layer import RECORD_BYTES, TlsLayer


def exchange(server: TlsLayer, client: TlsClient) -> None:
    """Pass the layers' own bytes to and fro until there are no more."""
    words = client.output()
    while words:
        server.received(words)
        answer = server.output()
        words = b""
        if answer:
            client.received(answer)
            words = client.output()


@pytest.fixture
def opened() -> tuple[TlsLayer, TlsClient]:
    server, client = TlsLayer(server_context()), TlsClient()
    exchange(server, client)
    assert server.is_open
    assert client.is_open
    return server, client


@pytest.mark.parametrize("size", [1, 5, RECORD_BYTES, RECORD_BYTES + 1, 65_536, 262_144])
def test_plaintext_passes_both_ways(opened: tuple[TlsLayer, TlsClient], size: int) -> None:
    server, client = opened
    data = os.urandom(size)

    assert server.received(client.sent(data)) == data
    assert client.received(server.sent(data)) == data


def test_the_facts_are_those_of_the_session(opened: tuple[TlsLayer, TlsClient]) -> None:
    assert opened[0].facts == {
        "ssl_object": opened[0].session,
        "tls": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "cipher_bits": 256,
        "cipher_suite": 0x1302,
        "tls_resumed": False,
        "truncated": False,
    }


def test_a_proper_end_is_told_from_a_truncation(opened: tuple[TlsLayer, TlsClient]) -> None:
    server, client = opened
    wire = client.sent(b"last words")
    client.finish()

    assert server.received(wire + client.output()) == b"last words"
    assert server.has_ended
    assert server.received(b"") == b""
    assert server.facts["truncated"] is False


def test_an_end_without_close_notify_is_a_truncation(opened: tuple[TlsLayer, TlsClient]) -> None:
    server, client = opened

    assert server.received(client.sent(b"last words")) == b"last words"
    assert server.received(b"") == b""
    assert not server.has_ended
    assert server.facts["truncated"] is True


def test_our_side_ends_and_the_peers_goes_on(opened: tuple[TlsLayer, TlsClient]) -> None:
    server, client = opened
    server.finish()
    client.received(server.output())
    assert client.has_ended

    assert server.received(client.sent(b"more")) == b"more"
    client.finish()
    assert server.received(client.output()) == b""
    assert server.has_ended


def test_nothing_counts_behind_the_peers_end(opened: tuple[TlsLayer, TlsClient]) -> None:
    server, client = opened
    wire = client.sent(b"x" * 30_000)
    client.finish()

    assert server.received(wire + client.output() + b"garbage" * 5000) == b"x" * 30_000
    assert server.has_ended


@pytest.mark.parametrize("change", ["a bit", "the length", "the type"])
def test_a_changed_record_is_refused_with_an_alert(opened: tuple[TlsLayer, TlsClient], change: str) -> None:
    server, client = opened
    wire = bytearray(client.sent(b"plain"))
    if change == "a bit":
        wire[-1] ^= 1
    elif change == "the length":
        wire[3:5] = b"\xff\xff"
    else:
        wire[0] = 99

    with pytest.raises(PeerError) as raised:
        server.received(bytes(wire))

    assert raised.value.reason == "other"
    with pytest.raises(PeerError, match="alert"):
        client.received(server.output())


def of_version(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = client_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def with_ciphers(ciphers: str) -> ssl.SSLContext:
    context = of_version(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers)
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (lambda: of_version(ssl.TLSVersion.TLSv1_1), "version"),
        (lambda: with_ciphers("AES128-SHA"), "no_shared_cipher"),
    ],
    ids=["an old version", "another cipher"],
)
def test_a_handshake_fails_for_a_reason_that_can_be_counted(client: object, reason: str) -> None:
    assert callable(client)
    server = TlsLayer(server_context())

    with pytest.raises(PeerError) as raised:
        server.received(TlsClient(client()).output())

    assert raised.value.reason == reason
    assert server.output().startswith(b"\x15")  # an alert
    assert not server.is_open


def test_a_client_that_does_not_trust_us_is_counted_as_such() -> None:
    server, client = TlsLayer(server_context()), TlsClient(client_context("another authority"))
    server.received(client.output())

    with pytest.raises(PeerError):
        client.received(server.output())
    with pytest.raises(PeerError, match="does not accept") as raised:
        server.received(client.output())

    assert raised.value.reason == "certificate_refused"


@pytest.mark.parametrize(
    ("issued_by", "reason"), [(None, "no_client_certificate"), ("another authority", "unknown_ca"), ("ours", None)]
)
def test_a_certificate_of_the_client_may_be_required(issued_by: str | None, reason: str | None) -> None:
    ours = server_context()
    ours.verify_mode = ssl.CERT_REQUIRED
    ours.load_verify_locations(cadata=authority_pem())
    theirs = client_context()
    if issued_by:
        load(theirs, pair("ann.example", issued_by=issued_by))
    server, client = TlsLayer(ours), TlsClient(theirs)

    if reason is None:
        exchange(server, client)
        certificate = server.facts["client_certificate"]
        assert isinstance(certificate, ClientCertificate)
        assert certificate.alternative_names == (("DNS", "ann.example"),)
        assert ("organizationName", "ours") in certificate.issuer
        assert certificate.subject
        assert int(certificate.serial, 16)
        assert certificate.pem.encode() == pair("ann.example", issued_by="ours").leaf
    else:
        with pytest.raises(PeerError) as raised:
            exchange(server, client)
        assert raised.value.reason == reason


@pytest.mark.parametrize("piece", [1, 4000])
@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n", b"OPTIONS * HTTP/1.0\n", b"GET /" + b"x" * 3000])
def test_an_http_request_without_tls_is_answered(line: bytes, piece: int) -> None:
    server = TlsLayer(server_context())

    def feed() -> None:
        for place in range(0, len(line), piece):
            assert server.output() == b""
            server.received(line[place : place + piece])

    with pytest.raises(PeerError) as raised:
        feed()

    assert raised.value.reason == "plain_http"
    assert server.output().startswith(b"HTTP/1.1 400 ")
    assert server.output() == b""


@pytest.mark.parametrize("first", [b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x00\x01", b"GET / FTP", b"G" * 3000])
def test_other_bytes_than_tls_are_refused_without_an_answer(first: bytes) -> None:
    server = TlsLayer(server_context())

    with pytest.raises(PeerError) as raised:
        server.received(first)

    assert raised.value.reason == "not_tls"
    assert server.output() == b""


@cache
def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_context(), client_context()


@settings(deadline=None, max_examples=60)
@given(
    messages=st.lists(st.binary(min_size=1, max_size=40_000), max_size=5),
    cuts=st.lists(st.integers(1, 5000), min_size=1, max_size=8),
)
def test_any_cutting_of_the_wire_gives_the_same_plaintext(messages: list[bytes], cuts: list[int]) -> None:
    ours, theirs = _contexts()
    server, client = TlsLayer(ours), TlsClient(theirs)
    turn = 0
    found = b""

    def feed(wire: bytes) -> None:
        nonlocal turn, found
        while wire:
            count = cuts[turn % len(cuts)]
            found += server.received(wire[:count])
            wire = wire[count:]
            turn += 1

    while not (server.is_open and client.is_open):
        feed(client.output())
        client.received(server.output())
    client.received(server.output())
    wire = b"".join(client.sent(message) for message in messages)
    client.finish()
    feed(wire + client.output())

    assert found == b"".join(messages)
    assert server.has_ended
