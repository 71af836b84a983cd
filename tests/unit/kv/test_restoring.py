"""Making a store of a dump, when system calls do less than they were asked."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from kv_stores import changing, opened, reading

from corepool_kv.engine.streams import Stream
from corepool_kv.operating.dump import dump_store
from corepool_kv.operating.restore import restore_store
from corepool_kv.stores import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def tell(done: int, most: int) -> None:
    """Show no progress."""


def test_a_dump_that_is_written_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("lmdb:", tmp_path) as store, changing(store) as db:
        db.put(b"key", b"x" * 100_000)
    dump_store(tmp_path / "data", tmp_path / "copy", tell)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5000]))
    restore_store(tmp_path / "copy", tmp_path / "new", replaces=False, tell=tell)
    assert (tmp_path / "new" / "data.mdb").read_bytes() == (tmp_path / "copy").read_bytes()


def test_a_disk_that_becomes_full_leaves_the_old_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened("lmdb:", tmp_path) as store, changing(store) as db:
        db.put(b"key", b"x" * 100_000)
    dump_store(tmp_path / "data", tmp_path / "copy", tell)
    before = (tmp_path / "data" / "data.mdb").read_bytes()
    write = os.write
    room = [7000]

    def write_some(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", write_some)
    with pytest.raises(StoreError, match="can't be written: No space left on device"):
        restore_store(tmp_path / "copy", tmp_path / "data", replaces=True, tell=tell)
    assert (tmp_path / "data" / "data.mdb").read_bytes() == before
    assert not list((tmp_path / "data").glob(".*"))


def test_no_new_collection_has_the_id_of_a_stream_without_entries(tmp_path: Path) -> None:
    with opened("lmdb:", tmp_path) as store:
        for number in range(20):
            with changing(store) as db:
                stream = Stream.open(db, b"%d" % number)
                stream.add(1, [b"f", b"v"])
                stream.trim_to(0)
                stream.save()
    dump_store(tmp_path / "data", tmp_path / "copy", tell)
    restore_store(tmp_path / "copy", tmp_path / "new" / "data", replaces=False, tell=tell)
    with opened("lmdb:", tmp_path / "new") as store:
        for number in range(20, 60):
            with changing(store) as db:  # the transactions count from 1 again
                stream = Stream.open(db, b"%d" % number)
                stream.add(1, [b"f", b"v"])
                stream.save()
        with reading(store) as db:
            found = [Stream.find(db, b"%d" % number) for number in range(60)]
    assert len({stream.id for stream in found if stream is not None}) == 60
