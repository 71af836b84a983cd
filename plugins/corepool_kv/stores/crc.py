"""The CRC of a key: its place in the table `data` of LMDB, and its cell in the clock of accesses."""

from __future__ import annotations

from zlib import crc32

__all__ = ["crc_of"]


def crc_of_in_python(key: bytes) -> int:
    """Return the CRC-32 of a key."""
    return crc32(key)


try:
    from corepool_kv.stores._crc import crc_of
except ImportError:  # corepool was installed without a compiler
    crc_of = crc_of_in_python
