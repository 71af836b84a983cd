"""Copying a store to a file while pools serve it: LMDB reads it at one moment, and writers go on."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import lmdb

from corepool_kv.operating.files import complete_file
from corepool_kv.stores import StoreError
from corepool_kv.stores.lmdb_format import check_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_INTERVAL_S = 0.2


def dump_store(folder: Path, file: Path, tell: Callable[[int, int], None]) -> int:
    """Write a copy without free pages to a new file, and return its size in bytes.

    :param tell: called with the bytes that are written, and those that may be written at most.
    :raises StoreError: the store can't be read, or the file not be written.
    """
    try:
        check_folder(folder)
    except StoreError as error:
        raise StoreError(f"store lmdb:{folder} {error}") from None
    env = _open(folder)
    with closing(env):
        try:
            with complete_file(file, replaces=False) as descriptor:
                _copy(env, descriptor, tell)
                return os.fstat(descriptor).st_size
        except FileExistsError:
            raise StoreError(f"{file} exists: a dump is a new file") from None
        except OSError as error:
            raise StoreError(f"{file} can't be written: {error.strerror}") from None
        except lmdb.Error as error:
            raise StoreError(f"store lmdb:{folder} can't be copied to {file}: {error}") from None


def _open(folder: Path) -> lmdb.Environment:
    try:
        if not (folder / "data.mdb").stat().st_size:
            raise StoreError(f"store lmdb:{folder} has no data yet")
        # A pool that has it open has made the file of locks; to make one here would make it this user's.
        env = lmdb.open(str(folder), readonly=True, create=False, lock=(folder / "lock.mdb").exists())
        env.set_mapsize(0)  # as large as it has become
    except OSError as error:
        raise StoreError(f"store lmdb:{folder} can't be read: {error.strerror}") from None
    except lmdb.Error as error:
        raise StoreError(f"store lmdb:{folder} can't be read: {error}") from None
    return env


def _copy(env: lmdb.Environment, descriptor: int, tell: Callable[[int, int], None]) -> None:
    most = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    failures: list[lmdb.Error] = []

    def copy() -> None:
        try:
            env.copyfd(descriptor, compact=True)
        except lmdb.Error as error:
            failures.append(error)

    # Copying gives up the interpreter's lock. Ctrl-C does not wait for it.
    thread = threading.Thread(target=copy, name="kv-dump", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_INTERVAL_S)
        tell(os.fstat(descriptor).st_size, most)
    if failures:
        raise failures[0]
