"""Records and environments of LMDB: old, foreign and damaged ones are named, and cost a command or the start."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from zlib import crc32

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepool_kv.stores import STRING, DamagedRecordError, StoreError, Transaction
from corepool_kv.stores.lmdb import LmdbStore
from corepool_kv.stores.lmdb_format import LONG, LONG_VERSION, SHORT, long_header
from corepool_kv.stores.lmdb_records import parse
from corepool_kv.stores.options import StoreOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_MS = 1_800_000_000_000


def make_store(folder: Path) -> LmdbStore:
    return LmdbStore(str(folder), StoreOptions())


@contextmanager
def opened(folder: Path) -> Iterator[LmdbStore]:
    store = make_store(folder)
    store.open(1)
    with closing(store):
        yield store


@contextmanager
def changing(store: LmdbStore) -> Iterator[Transaction]:
    transaction = store.begin()
    yield transaction
    store.commit(transaction)


def write(folder: Path, table: bytes | None, entries: dict[bytes, bytes]) -> None:
    """Write to an environment as another program would."""
    folder.mkdir(exist_ok=True)
    with closing(lmdb.open(str(folder), max_dbs=4)) as env:
        db = env.open_db(table) if table is not None else None
        with env.begin(write=True, db=db) as txn:
            for key, value in entries.items():
                txn.put(key, value)


def place(key: bytes) -> bytes:
    return crc32(key).to_bytes(4) + key


def test_a_record_keeps_flags_and_gets_a_new_version_with_each_write(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as store:
        versions = set()
        for number in range(3):
            with changing(store) as transaction:
                transaction.put(b"k", b"v%d" % number, NOW_MS, 0xFFFFFFFF)
                transaction.put(b"k", b"v%d" % number, NOW_MS + 1, 7)
            view = store.read()
            record = view.get(b"k")
            store.release(view)
            assert record is not None
            assert record[:2] == (b"v%d" % number, NOW_MS + 1)
            assert record.flags == 7
            versions.add(record.version)
        assert len(versions) == 3


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (b"", "it has 0 bytes"),
        (SHORT + bytes(7), "it has 9 bytes"),
        (LONG.pack(LONG_VERSION, STRING, 0, 0, 1)[:-1], "it has 21 bytes"),
        (LONG.pack(4, STRING, 0, 0, 1) + b"x", "its header is of version 4, this corepool knows 1 to 3"),
        (long_header(STRING, 0, 1 << 33, 1)[:-1], "it has 25 bytes"),
        (LONG.pack(LONG_VERSION, ord("q"), 0, 0, 1) + b"x", "its type is b'q'"),
        (SHORT[:1] + b"q" + bytes(8) + b"x", "its type is b'q'"),
        (SHORT[:1] + b"h" + bytes(8) + b"x" * 15, "it has 25 bytes"),
    ],
)
def test_a_damaged_record_can_be_overwritten_and_removed(tmp_path: Path, stored: bytes, reason: str) -> None:
    with opened(tmp_path / "data") as store, changing(store) as transaction:
        transaction.put(b"other", b"fine", 0, 0)
    write(tmp_path / "data", b"data", {place(b"k"): stored, place(b"l"): stored})
    with opened(tmp_path / "data") as store:
        view = store.read()
        for read in (lambda: view.get(b"k"), lambda: view.get_value(b"k", NOW_MS)):
            with pytest.raises(DamagedRecordError, match="the record of b'k' can't be read: ") as caught:
                read()
            assert reason in str(caught.value)
        assert view.get_value(b"other", NOW_MS) == b"fine"
        store.release(view)
        with changing(store) as transaction:
            assert transaction.delete(b"k", NOW_MS)
            transaction.put(b"l", b"new", 0, 0)
            assert transaction.get(b"k") is None
            assert transaction.get_value(b"l", NOW_MS) == b"new"


def test_an_empty_value_is_no_damage(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as store, changing(store) as transaction:
        transaction.put(b"", b"", 0, 0)
        transaction.put(b"later", b"", NOW_MS, 0)
        assert transaction.get_value(b"", NOW_MS) == b""
        assert transaction.get_value(b"later", NOW_MS) == b""
        assert transaction.get_value(b"later", NOW_MS + 1) is None


@given(st.binary(max_size=40))
def test_any_bytes_are_a_record_or_damaged(stored: bytes) -> None:
    try:
        record = parse(stored, b"k")
    except DamagedRecordError:
        return
    assert LONG_VERSION <= stored[0] <= 3
    assert stored[1] == record.type
    assert stored.endswith(record.version.to_bytes(8) + record.value)


@pytest.mark.parametrize("expires_ms", [0, NOW_MS])
@pytest.mark.parametrize("flags", [0, 7, 1 << 33 | 7])
def test_a_header_is_short_where_it_has_neither_expiry_nor_flags(tmp_path: Path, expires_ms: int, flags: int) -> None:
    with opened(tmp_path / "data") as store:
        with changing(store) as transaction:
            transaction.put(b"k", b"value", expires_ms, flags)
        with changing(store) as transaction:
            assert transaction.count_expiring() == (expires_ms > 0)
            record = transaction.get(b"k")
            assert record is not None
            assert record == (b"value", expires_ms, record.version, flags, STRING)
            transaction.put(b"k", b"value", 0, 0)
            assert transaction.count_expiring() == 0
            transaction.put(b"k", b"value", expires_ms, flags)
    with closing(lmdb.open(str(tmp_path / "data"), max_dbs=4)) as env, env.begin(db=env.open_db(b"data")) as txn:
        header = 26 if flags > 0xFFFFFFFF else 22 if expires_ms or flags else 10
        assert len(txn.get(place(b"k")) or b"") == header + len(b"value")


def test_the_version_of_a_record_is_not_taken_for_its_expiry(tmp_path: Path) -> None:
    version = NOW_MS.to_bytes(8)
    with opened(tmp_path / "data"):
        pass
    write(tmp_path / "data", b"data", {place(b"k"): SHORT + version + b"value"})
    write(tmp_path / "data", b"expiry", {version + b"k": b""})  # left behind by a damaged record
    with opened(tmp_path / "data") as store, changing(store) as transaction:
        assert transaction.remove_expired(NOW_MS + 1, 10) == []
        assert transaction.get_value(b"k", NOW_MS + 1) == b"value"


def test_expired_records_are_removed_and_entries_left_behind_with_them(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as store, changing(store) as transaction:
        transaction.put(b"a", b"1", NOW_MS - 2, 0)
        transaction.put(b"b", b"2", NOW_MS, 0)
        transaction.put(b"c", b"3", 0, 0)
    left_behind = {(NOW_MS - 5).to_bytes(8) + b"c": b"", (NOW_MS - 4).to_bytes(8) + b"gone": b"", b"\0": b""}
    write(tmp_path / "data", b"expiry", left_behind)
    with opened(tmp_path / "data") as store, changing(store) as transaction:
        assert transaction.has_expired(NOW_MS)
        assert [transaction.remove_expired(NOW_MS, 3) for _ in range(3)] == [[], [b"a"], []]
        assert not transaction.has_expired(NOW_MS)
        assert (transaction.get(b"a"), transaction.get_value(b"c", NOW_MS)) == (None, b"3")
        assert transaction.count_expiring() == transaction.count() - 1 == 1


FOREIGN = [
    ({}, {b"data": {b"x": b"y"}}, "has the format before 1, without a mark"),
    ({b"format": b"corepool kv 7"}, {b"data": {b"x": b"y"}}, "has format 7, this corepool reads 2"),
    ({b"format": b"corepool kv 1"}, {b"data": {b"x": b"y"}}, "has format 1, this corepool reads 2"),
    ({}, {b"users": {b"x": b"y"}}, "is an LMDB environment of another program, with 'users' in it"),
    ({b"format": b"zip"}, {}, "is an LMDB environment of another program, with 'format' in it"),
]


@pytest.mark.parametrize(("entries", "tables", "reason"), FOREIGN)
def test_an_environment_of_another_format_is_refused_by_the_master_and_by_the_worker(
    tmp_path: Path, entries: dict[bytes, bytes], tables: dict[bytes, dict[bytes, bytes]], reason: str
) -> None:
    write(tmp_path / "data", None, entries)
    for table, content in tables.items():
        write(tmp_path / "data", table, content)
    store = make_store(tmp_path / "data")
    for refuse in (store.check, lambda: store.open(1)):
        with pytest.raises(StoreError) as caught:
            refuse()
        assert str(caught.value).startswith(f"store lmdb:{tmp_path}/data {reason}")


@pytest.mark.parametrize("content", [b"no LMDB" * 2000, b"\0" * 8192])
def test_a_file_that_is_none_of_lmdb_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    store = make_store(tmp_path)
    for refuse in (store.check, lambda: store.open(1)):
        with pytest.raises(StoreError, match=r"its data\.mdb is no file of LMDB, or is damaged: move it away"):
            refuse()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(StoreError, match="is a file: a store is a folder"):
        make_store(tmp_path / "data").check()


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    make_store(tmp_path / "none").check()
    assert not (tmp_path / "none").exists()
    with opened(tmp_path / "data"):
        pass
    (tmp_path / "data" / "lock.mdb").unlink()
    make_store(tmp_path / "data").check()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["data.mdb"]
