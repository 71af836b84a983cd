"""The beginning of a client's first message, judged before OpenSSL makes room for all that it claims to have."""

from __future__ import annotations

from corepool.spec.layer import PeerError

HEAD_BYTES = 9
"""The header of a record, and that of the message in it (RFC 8446, 4 and 5.1)."""

MAX_BYTES = 16_384
"""Bytes of a ClientHello. Those with keys of ML-KEM have 2 KiB; OpenSSL would make room for 128 KiB."""

ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"
"""The answer to another message: unexpected_message (RFC 8446, 6.2)."""


def begins_hello(head: bytes) -> bool:
    """Return whether a ClientHello begins here; False: more bytes are needed to know.

    :param head: all that has come so far, of which the first byte is a handshake's.
    :raises PeerError: it is another message, or too long.
    """
    if head[1:2] not in {b"", b"\x03"} or head[5:6] not in {b"", b"\x01"}:
        raise PeerError("not_tls", "the client's first message is no ClientHello")
    if len(head) < HEAD_BYTES:
        return False
    if int.from_bytes(head[3:5]) < HEAD_BYTES - 5:  # no client divides it there
        raise PeerError("not_tls", "the client's first record is too short for a ClientHello")
    size = int.from_bytes(head[6:9])
    if size > MAX_BYTES:
        raise PeerError("other", f"the client's ClientHello would have {size} bytes; {MAX_BYTES} are taken")
    return True
