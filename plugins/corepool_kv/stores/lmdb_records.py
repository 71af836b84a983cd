"""The parts of records that each command touches: the key in the table `data`, and the short header."""

from __future__ import annotations

from zlib import crc32

from corepool_kv.stores.lmdb_format import SHORT, SHORT_BYTES

__all__ = ["place_of", "short_record", "short_value"]


def place_of_in_python(key: bytes) -> bytes:
    """Return the place of a key in the table `data`."""
    return crc32(key).to_bytes(4) + key


def short_record_in_python(version: int, value: bytes) -> bytes:
    """Return a record without expiry and flags."""
    return SHORT + version.to_bytes(8) + value


def short_value_in_python(stored: bytes) -> bytes | None:
    """Return the value of a record with the short header; None if it has another, or is damaged."""
    return stored[SHORT_BYTES:] if stored[:2] == SHORT and len(stored) >= SHORT_BYTES else None


try:
    from corepool_kv.stores._lmdb_records import place_of, short_record, short_value
except ImportError:  # corepool was installed without a compiler
    place_of, short_record, short_value = place_of_in_python, short_record_in_python, short_value_in_python
