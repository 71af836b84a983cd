"""Making a store of a dump. LMDB's lock of the folder is held meanwhile: a pool that starts waits until it is there."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import lmdb

from corepool_kv.operating.files import complete_file, sync_folder
from corepool_kv.operating.places import refuse_another_users
from corepool_kv.stores import StoreError
from corepool_kv.stores.access_clock import forget_clocks
from corepool_kv.stores.lmdb_format import check_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_AT_ONCE = 1 << 20


def restore_store(file: Path, folder: Path, *, replaces: bool, tell: Callable[[int, int], None]) -> None:
    """Make the store of a folder of a dump.

    :param replaces: data that the store has are given up.
    :param tell: called with the bytes that are written, and those of the dump.
    :raises StoreError: the file is no dump, or the store has data, or is in use, or can't be written.
    """
    size = _check(file)
    refuse_another_users(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            data = folder / "data.mdb"
            if not replaces and data.exists() and data.stat().st_size:
                raise StoreError(
                    f"store lmdb:{folder} has data: choose another folder, or say --replace to give them up"
                )
            with file.open("rb", buffering=0) as source, complete_file(data, replaces=True) as descriptor:
                while chunk := source.read(_AT_ONCE):
                    _write(descriptor, chunk)
                    tell(os.lseek(descriptor, 0, os.SEEK_CUR), size)
            forget_clocks(folder)
            sync_folder(folder.resolve().parent)
    except OSError as error:
        raise StoreError(f"store lmdb:{folder} can't be written: {error.strerror}") from None


def _write(descriptor: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:  # a disk that becomes full takes a part, and refuses the rest
        left = left[os.write(descriptor, left) :]


def _check(file: Path) -> int:
    """Return the size of a dump.

    :raises StoreError: it is none, or of another version, or a part of one.
    """
    try:
        size = file.stat().st_size
        env = lmdb.open(str(file), subdir=False, readonly=True, create=False, lock=False)
    except OSError as error:
        raise StoreError(f"{file} can't be read: {error.strerror}") from None
    except lmdb.Error as error:
        raise StoreError(f"{file} is no dump of a store: {error}") from None
    with closing(env):
        expected = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
        if size < expected:  # reading the missing part would end this process with SIGBUS
            raise StoreError(f"{file} is a part of a dump: it has {size} bytes of {expected}")
        try:
            check_mark(env)
        except StoreError as error:
            raise StoreError(f"{file} {error}") from None
        except lmdb.Error as error:
            raise StoreError(f"{file} can't be read: {error}") from None
    return size


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that LMDB shares while an environment is open: the first byte of lock.mdb, by fcntl(2).

    :raises StoreError: a process has it open.
    """
    descriptor = os.open(folder / "lock.mdb", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except (BlockingIOError, PermissionError):
            raise StoreError(f"store lmdb:{folder} is in use: stop the pool that serves it first") from None
        yield
    finally:
        os.close(descriptor)
