"""Records in the table `data`: their keys there, and their headers (lmdb_format.py)."""

from __future__ import annotations

from zlib import crc32

from corepool_kv.stores import STRING, DamagedRecordError, Record
from corepool_kv.stores.lmdb_format import (
    LONG,
    LONG_VERSION,
    MIN_DESCRIPTION_BYTES,
    SHORT,
    SHORT_BYTES,
    TYPES,
    WIDE,
    WIDE_VERSION,
)

__all__ = ["parse", "parsed_short", "place_of", "short_record", "short_value"]


def place_of_in_python(key: bytes) -> bytes:
    """Return the place of a key in the table `data`."""
    return crc32(key).to_bytes(4) + key


def short_record_in_python(kind: int, version: int, value: bytes) -> bytes:
    """Return a record without expiry and flags.

    :param kind: its type.
    """
    return bytes((SHORT[0], kind)) + version.to_bytes(8) + value


def short_value_in_python(stored: bytes) -> bytes | None:
    """Return the value of a record with the short header; None if it has another, or is damaged."""
    return stored[SHORT_BYTES:] if stored[:2] == SHORT and len(stored) >= SHORT_BYTES else None


def parsed_short_in_python(stored: bytes) -> Record | None:
    """Return a record with the short header, of any type; None if it has another, or is damaged."""
    if stored[:1] != SHORT[:1] or len(stored) < SHORT_BYTES:
        return None
    kind = stored[1]
    if kind not in TYPES or (kind != STRING and len(stored) < SHORT_BYTES + MIN_DESCRIPTION_BYTES):
        return None
    return Record(stored[SHORT_BYTES:], 0, int.from_bytes(stored[2:SHORT_BYTES]), 0, kind)


try:
    from corepool_kv.stores._lmdb_records import parsed_short, place_of, short_record, short_value
except ImportError:  # corepool was installed without a compiler
    parsed_short, place_of = parsed_short_in_python, place_of_in_python
    short_record, short_value = short_record_in_python, short_value_in_python


def parse(stored: bytes, key: bytes) -> Record:
    """Return a record.

    :raises DamagedRecordError: it is damaged, or of a version or type that is unknown here.
    """
    record = parsed_short(stored)
    if record is not None:
        return record
    if len(stored) < SHORT_BYTES:
        raise DamagedRecordError(key, f"it has {len(stored)} bytes")
    if not LONG_VERSION <= stored[0] <= WIDE_VERSION:
        raise DamagedRecordError(key, f"its header is of version {stored[0]}, this corepool knows 1 to 3")
    kind = stored[1]
    if kind not in TYPES:
        raise DamagedRecordError(key, f"its type is {stored[1:2]!r}, this corepool knows those of {TYPES!r}")
    header = LONG if stored[0] == LONG_VERSION else WIDE
    if stored[0] == SHORT[0] or len(stored) < header.size:
        raise DamagedRecordError(key, f"it has {len(stored)} bytes")
    _, _, expires_ms, flags, version = header.unpack_from(stored)
    record = Record(stored[header.size :], expires_ms, version, flags, kind)
    if kind != STRING and len(record.value) < MIN_DESCRIPTION_BYTES:
        raise DamagedRecordError(key, f"it has {len(stored)} bytes")
    return record
