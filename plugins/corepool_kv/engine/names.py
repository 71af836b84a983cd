"""The names of elements: a member or field becomes a name that any store takes, and is found again by its bytes.

A name is a section, the CRC of the member, and the member. So a collection has its members in an order that nothing
else changes, and a number of 32 bits is a place in it: SCAN needs no memory, and a random number finds a random member.
A store takes no long names. A member that is longer than MAX_WHOLE is its first bytes and a digest of all of it, and
stands before its value.
"""

from __future__ import annotations

from hashlib import blake2b

from corepool_kv.stores import MAX_NAME_BYTES
from corepool_kv.stores.crc import crc_of

SECTION = b"n"
SECTION_END = b"o"

_HEAD_BYTES = 9
"""Of a name, in front of the member; in a sorted set's index it is a section and a score."""

_DIGEST_BYTES = 32
MAX_WHOLE = MAX_NAME_BYTES - _HEAD_BYTES - _DIGEST_BYTES
_LENGTH_BYTES = 8


def shorten(member: bytes) -> bytes:
    """Return the member, or a part and a digest of a long one."""
    if len(member) <= MAX_WHOLE:
        return member
    return member[:MAX_WHOLE] + blake2b(member, digest_size=_DIGEST_BYTES).digest()


def name_of(member: bytes) -> bytes:
    """Return the name of a member's element."""
    return SECTION + crc_of(member).to_bytes(4) + shorten(member)


def pack(member: bytes, value: bytes) -> bytes:
    """Return the value of a member's element."""
    return value if len(member) <= MAX_WHOLE else len(member).to_bytes(_LENGTH_BYTES) + member + value


def unpack(short: bytes, stored: bytes) -> tuple[bytes, bytes]:
    """Return member and value.

    :param short: the member, as `shorten` returns it.
    """
    if len(short) <= MAX_WHOLE:
        return short, stored
    end = _LENGTH_BYTES + int.from_bytes(stored[:_LENGTH_BYTES])
    return stored[_LENGTH_BYTES:end], stored[end:]
