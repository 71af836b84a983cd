"""Records of TLS 1.3 with any content, as no library's client makes them (RFC 8446, 5.2 and 7)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from certificates import client_context
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

if TYPE_CHECKING:
    from pathlib import Path

    from corepool.tls.layer import TlsLayer

HANDSHAKE, DATA = 22, 23
KEY_UPDATE = b"\x18\0\0\x01\x01"
"""A whole message, which asks for one in return (RFC 8446, 4.6.3)."""


def _derived(secret: bytes, label: bytes, size: int) -> bytes:
    label = b"tls13 " + label
    return HKDFExpand(SHA384(), size, size.to_bytes(2) + bytes([len(label)]) + label + b"\0").derive(secret)


class RawClient:
    """The client's side after a handshake, with TLS_AES_256_GCM_SHA384."""

    def __init__(self, secret: bytes) -> None:
        self._use(secret)

    def _use(self, secret: bytes) -> None:
        self._secret = secret
        self._key, self._vector, self._number = AESGCM(_derived(secret, b"key", 32)), _derived(secret, b"iv", 12), 0

    def record(self, content: bytes, kind: int = DATA, padding: int = 0) -> bytes:
        """Return the next record."""
        inner = content + bytes([kind]) + bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2)
        nonce = (int.from_bytes(self._vector) ^ self._number).to_bytes(12)
        self._number += 1
        return header + self._key.encrypt(nonce, inner, header)

    def change_keys(self) -> bytes:
        """Return a record with a KeyUpdate, and use new keys from then on."""
        record = self.record(KEY_UPDATE, HANDSHAKE)
        self._use(_derived(self._secret, b"traffic upd", 48))
        return record


def open_raw(server: TlsLayer, keys: Path) -> RawClient:
    """Shake hands, and return the client's side.

    :param keys: a path for the log of keys, where nothing is yet.
    """
    context = client_context()
    context.keylog_filename = str(keys)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while not server.is_open:
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        server.received(outgoing.read())
        incoming.write(server.output())
    context.keylog_filename = None  # type: ignore[assignment]  # closes it
    (line,) = [line for line in keys.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0")]
    return RawClient(bytes.fromhex(line.split()[2]))
