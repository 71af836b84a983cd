"""The format of a store in LMDB: the mark of its environment, and the header of each record.

An environment has the mark in LMDB's main table, under the key `format`. It changes when tables or their keys do. A
record begins with a header, all numbers big-endian. That of version 1 has 22 bytes:

| offset | bytes | field |
|---|---|---|
| 0 | 1 | version of the header: 1 |
| 1 | 1 | type of the value: `s`, a string; `h`, `l`, `t`, `z`, `x`: a hash, list, set, sorted set, stream |
| 2 | 8 | last millisecond of its life, since the epoch; 0: it has no end |
| 10 | 4 | flags: a number that a client keeps with the value, as those of memcached do |
| 14 | 8 | version of the record: another number after each write, for WATCH and for compare-and-swap |

That of version 3 has 26 bytes: its flags have 8. It is for records whose flags are larger than 32 bits, since a dialect
keeps marks of its own above those of the client.

That of version 2 has 10 bytes, for a record without expiry and flags, as nearly all are: a 2, type, version of the
record. Pages hold a tenth more values of 64 bytes with it; a transaction copies each page that it changes, so SETs in
pipelines cost 6 % less.

The value follows. Of a collection that is its description: an ID that no other collection has, the number of
its elements, 8 bytes each, and, for a list, the position of its first element, or a stream's last ID, number of
entries ever added, and largest ID that was removed. The elements have records of their own
(lmdb_elements.py).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

import lmdb

from corepool.files.examining import refuse_new_folder
from corepool_kv.stores import STRING, SYSTEM, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from lmdb import _Database

LONG = Struct(">BBQIQ")
LONG_BYTES = LONG.size
LONG_VERSION = 1
WIDE = Struct(">BBQQQ")
WIDE_VERSION = 3
_LARGEST_LONG_FLAGS = (1 << 32) - 1
SHORT_BYTES = 10
SHORT = bytes((2, STRING))
"""The beginning of the short header of a string; the version of the record follows."""

_MARK_KEY = b"format"
_MARK = b"corepool kv 2"
_TABLES = {b"data", b"expiry", b"full at"}
"""Of the format before 1."""

TABLES = 3 * (SYSTEM + 1)
"""`data`, `expiry` and `elements` of database 0, and `data 1` and so on of the others."""

TYPES = b"shltzx"
MIN_DESCRIPTION_BYTES = 16

_CONVERT = "docs/kv.md (A store of another format) has the way to convert it; or choose another folder"


def long_header(kind: int, expires_ms: int, flags: int, version: int) -> bytes:
    """Return the header of a record that has an end of its life, or flags."""
    if flags > _LARGEST_LONG_FLAGS:
        return WIDE.pack(WIDE_VERSION, kind, expires_ms, flags, version)
    return LONG.pack(LONG_VERSION, kind, expires_ms, flags, version)


def mark(env: lmdb.Environment) -> None:
    """Mark a new environment as ours, or check the mark of one that was used before.

    :raises StoreError: it is of another format, or another program's.
    """
    with env.begin() as txn:
        is_new = _is_new(txn)
    if is_new:
        with env.begin(write=True) as txn:
            if _is_new(txn):  # else another worker was faster
                txn.put(_MARK_KEY, _MARK)


def check_mark(env: lmdb.Environment) -> None:
    """Check that an environment is a store.

    :raises StoreError: it is none, or of another format, or another program's.
    """
    with env.begin() as txn:
        if _is_new(txn):
            raise StoreError("has no store in it")


def open_tables(env: lmdb.Environment) -> tuple[tuple[_Database, _Database, _Database], ...]:
    """Open the tables of each database, and make those that do not exist."""
    with env.begin(write=True) as txn:

        def open_table(name: bytes, number: int) -> _Database:
            return env.open_db(b"%b %d" % (name, number) if number else name, txn=txn)

        return tuple(
            (open_table(b"data", number), open_table(b"expiry", number), open_table(b"elements", number))
            for number in range(SYSTEM + 1)
        )


def check_folder(path: Path) -> None:
    """Check the store in a folder without changing anything; a store that does not exist yet is none the worse for it.

    Runs in: master, which has no environment open; nor does it keep this one, for the workers to inherit.

    :raises StoreError: the folder is none, or its store is of another format, or another program's.
    """
    if path.exists() and not path.is_dir():
        raise StoreError("is a file: a store is a folder, in which LMDB keeps its files")
    try:
        refuse_new_folder(path)
    except OSError as error:
        raise StoreError(f"can't be made: {error.strerror}") from None
    try:
        if not (path / "data.mdb").stat().st_size:
            return
        has_lock = (path / "lock.mdb").exists()  # else LMDB would make one, which would be this user's
        env = lmdb.open(str(path), readonly=True, create=False, lock=has_lock)
    except OSError:
        return  # it does not exist, or is for the eyes of the workers' user: they will find out
    except lmdb.Error as error:
        if (failure := foreign(error)) is None:
            return
        raise failure from None
    try:
        with env.begin() as txn:
            _is_new(txn)
    except lmdb.Error as error:
        raise StoreError(f"can't be read: {error}") from None
    finally:
        env.close()


def foreign(error: lmdb.Error) -> StoreError | None:
    """Return the error for a file that LMDB does not take for its own; None for any other failure to open it."""
    if isinstance(error, lmdb.InvalidError | lmdb.CorruptedError):
        return StoreError("its data.mdb is no file of LMDB, or is damaged: move it away, or choose another folder")
    if isinstance(error, lmdb.VersionMismatchError):
        return StoreError(f"its data.mdb is of another version of LMDB ({error}): choose another folder")
    return None


def _is_new(txn: lmdb.Transaction) -> bool:
    """Report whether an environment has never been used; False if it is ours.

    :raises StoreError: it is of another format, or another program's.
    """
    found = txn.get(_MARK_KEY)
    if found == _MARK:
        return False
    with txn.cursor() as cursor:
        names = {bytes(name) for name in cursor.iternext(values=False)}
    if not names:
        return True
    if found is not None and bytes(found).startswith(b"corepool kv "):
        theirs, ours = (text[12:].decode(errors="replace") for text in (bytes(found), _MARK))
        raise StoreError(f"has format {theirs}, this corepool reads {ours}: {_CONVERT}")
    if b"data" in names and names <= _TABLES:
        raise StoreError(f"has the format before 1, without a mark: {_CONVERT}")
    listed = ", ".join(repr(name.decode(errors="replace")) for name in sorted(names)[:5])
    raise StoreError(f"is an LMDB environment of another program, with {listed} in it: choose another folder")
