"""Bytes that are no TLS, or nearly TLS: each costs a PeerError at most, and no memory that stays."""

from __future__ import annotations

import os
import random
import ssl

from certificates import client_context, server_context
from tls_client import TlsClient

from corepool import PeerError
from corepool.master.status import resident_bytes
from corepool.tls.layer import TlsLayer

PIECES = 100_000
BIG_BYTES = 64 * 1024 * 1024
"""More than an interpreter's heap varies by; a hundredth of the memory that a kibibyte kept of each piece would be."""


def _hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    client = client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _piece(seeded: random.Random, hello: bytes) -> bytes:
    """Return a hello that was changed in a place or two, or cut, or random bytes behind its first ones, or alone."""
    kind = seeded.randrange(4)
    if kind == 0:
        changed = bytearray(hello)
        for _ in range(seeded.randint(1, 3)):
            changed[seeded.randrange(len(changed))] = seeded.randrange(256)
        return bytes(changed)
    if kind == 1:
        return hello[: seeded.randrange(len(hello))] + seeded.randbytes(seeded.randrange(50))
    if kind == 2:
        return b"\x16\x03\x01" + seeded.randbytes(seeded.randrange(300))
    return seeded.randbytes(seeded.randrange(1, 300))


def _serve(layer: TlsLayer, piece: bytes, cut: int) -> None:
    try:
        layer.output()
        layer.received(piece[:cut])
        layer.output()
        if cut < len(piece):
            layer.received(piece[cut:])
        layer.received(b"")
    except PeerError:
        layer.output()


def test_garbage_costs_its_own_connection_alone() -> None:
    seeded, hello, context = random.Random(22), _hello(), server_context()  # noqa: S311  # the same each time
    before = 0
    for number in range(PIECES):
        piece = _piece(seeded, hello)
        _serve(TlsLayer(context), piece, seeded.randint(1, len(piece)) if piece else 0)
        if number == PIECES // 10:
            before = resident_bytes(os.getpid())

    assert resident_bytes(os.getpid()) - before < BIG_BYTES


def test_garbage_behind_a_handshake_is_refused() -> None:
    seeded, ours, theirs = random.Random(23), server_context(), client_context()  # noqa: S311  # as above
    for _ in range(300):
        server, client = TlsLayer(ours), TlsClient(theirs)
        while not server.is_open:
            server.received(client.output())
            client.received(server.output())
        wire = bytearray(client.sent(b"plain"))
        wire[seeded.randrange(len(wire))] ^= 1 + seeded.randrange(255)
        try:
            assert server.received(bytes(wire)) == b""  # a longer record than came, say
        except PeerError:
            assert server.output()
