"""Data in an LMDB environment: shared by every worker, kept on disk.

Opened after the fork, never before (LMDB's own rule). A write transaction holds a lock between processes, so
it lasts for one batch of events. The lock of a killed worker is recovered by LMDB (a robust mutex); its reader
slot by `maintain` and by the worker that takes its place: a slot left behind pins every page freed since.

A failure to write its first pages leaves the environment of that process unusable (MDB_PANIC), and one to map a file
that has grown leaves it without a map: it is closed, and opened again (`reopen`). Committed data is in the kernel's
pages, so nothing is lost by that; LMDB forbids to have it open twice in one process.

Only with "always" does a commit wait for the disk; otherwise the kernel has the data, and a killed process
loses nothing. "everysec" has a thread call fsync(2) once a second.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb

from corepool.logs.rate_limited import RateLimitedLog
from corepool_kv import events
from corepool_kv.stores import BrokenError, FullError, StoreError
from corepool_kv.stores.access_clock import AccessClock
from corepool_kv.stores.lmdb_errors import translated
from corepool_kv.stores.lmdb_format import TABLES, check_folder, foreign, mark, open_tables
from corepool_kv.stores.lmdb_order import order_of
from corepool_kv.stores.lmdb_transaction import LmdbTransaction

if TYPE_CHECKING:
    from lmdb import _Database

    from corepool_kv.stores import Transaction, View
    from corepool_kv.stores.options import StoreOptions

log = logging.getLogger(__name__)

_FIRST_MAP_BYTES = 64 * 1024 * 1024

_MAX_READERS = 1024  # one a worker, and those of workers that died and were not cleared yet
_LOCK_FILE_BYTES = 17 * 4096  # with room for as many


class LmdbStore:
    """Implements `Store`."""

    # 511 of LMDB's build, less the time in front of the key in `expiry`.
    max_key_bytes = 503
    max_workers: int | None = None

    def __init__(self, where: str, options: StoreOptions) -> None:
        """Take the folder of the data; none means a temporary one."""
        self._options = options
        self.max_bytes = options.max_bytes
        self.eviction: str = options.eviction
        self.commits_are_slow = options.durability == "always"
        self._is_temporary = not where
        self._path = Path(where)
        self._env: lmdb.Environment
        self._tables: tuple[tuple[_Database, _Database, _Database], ...]
        """In the order of their names."""
        self._ordered: tuple[tuple[_Database, _Database, _Database], ...]
        """Those of each database, as of the transaction `_ordered_at`."""
        self._ordered_at = -1
        self._is_dirty = False
        self._syncing: threading.Thread | None = None
        self._sync_failed = False
        self._was_full_at = -1
        self._is_open = False
        self._spare: LmdbTransaction | None = None
        """A view that has ended, to be used again. Views are of one thread."""
        self._log = RateLimitedLog(log)

    def identity(self) -> str | None:
        if self._is_temporary:
            return None
        try:
            status = self._path.stat()
        except OSError:
            return f"lmdb:{os.path.realpath(self._path)}"
        return f"lmdb:{status.st_dev}:{status.st_ino}"  # one folder may be mounted in two places

    def check(self) -> None:
        if not self._is_temporary:
            try:
                check_folder(self._path)
            except StoreError as error:
                raise StoreError(f"store lmdb:{self._path} {error}") from None

    def prepare(self, uid: int, gid: int) -> None:
        if self._is_temporary:
            self._path = Path(tempfile.mkdtemp(prefix="corepool-kv-"))
            os.chown(self._path, uid, gid)

    def discard(self) -> None:
        if self._is_temporary:
            shutil.rmtree(self._path, ignore_errors=True)

    def open(self, workers: int) -> None:  # noqa: ARG002  # any number may share it
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _allocate(self._path / "lock.mdb")
            self._env = lmdb.open(
                str(self._path),
                map_size=min(_FIRST_MAP_BYTES, self._options.max_bytes),
                max_dbs=TABLES,
                mode=0o600,
                sync=self._options.durability == "always",
                readahead=False,
                max_readers=_MAX_READERS,
                max_spare_txns=4,
            )
        except (OSError, lmdb.Error) as error:
            raise self._not_opened(error) from None
        try:
            self._env.set_mapsize(0)  # as large as another worker, or an earlier life, has made it
            mark(self._env)
            self._tables = self._ordered = open_tables(self._env)
            self._ordered_at = -1
            self._env.reader_check()
        except lmdb.Error as error:
            self._env.close()
            raise self._not_opened(error) from None
        except StoreError as error:
            self._env.close()
            raise StoreError(f"store lmdb:{self._path} {error}") from None
        self._is_open = True

    def close(self) -> None:
        if self._syncing is not None:
            self._syncing.join()
        if self._is_dirty and self._is_open and self._options.durability != "never":
            try:
                self._env.sync(True)
            except lmdb.Error as error:
                events.lmdb_last_sync_failed(log, path=self._path, reason=error)
        self._env.close()

    def reopen(self) -> None:
        if self._syncing is not None and self._syncing.is_alive():
            raise StoreError("it is opened again when fsync(2) has returned")
        self._is_open = False
        self._env.close()
        self.open(1)
        events.lmdb_store_reopened(self._log, path=self._path)

    def read(self) -> View:
        try:
            return self._view(self._env.begin())
        except lmdb.ReadersFullError:
            return self._read_in_a_stale_slot()
        except lmdb.Error as error:
            raise self._not_begun(error) from None

    def release(self, view: View) -> None:
        assert isinstance(view, LmdbTransaction)
        view.txn.abort()
        self._spare = view

    def begin(self) -> Transaction:
        if self._sync_failed:
            self._retry_sync()
        try:
            txn = self._env.begin(write=True)
        except lmdb.Error as error:
            raise self._not_begun(error) from None
        self._take_order(txn, txn.id() - 1)
        return LmdbTransaction(txn, self._ordered)

    def commit(self, transaction: Transaction) -> None:
        assert isinstance(transaction, LmdbTransaction)
        number = transaction.txn.id()
        try:
            transaction.txn.commit()
        except lmdb.Error as error:
            raise translated(error) from None
        self._is_dirty = True
        if transaction.has_swapped:
            self._ordered_at = -1
        elif self._ordered_at == number - 1:
            self._ordered_at = number

    def abort(self, transaction: Transaction) -> None:
        assert isinstance(transaction, LmdbTransaction)
        transaction.txn.abort()

    def access_clock(self) -> AccessClock:
        try:
            return AccessClock.of_folder(self._path, self.max_bytes)
        except OSError as error:
            raise StoreError(f"store lmdb:{self._path} can't have a clock of accesses: {error}") from None

    def make_room(self) -> None:
        before = self._env.info()["map_size"]
        self._map(0)
        size = self._env.info()["map_size"]
        if size <= before:
            size = min(before * 2, self._options.max_bytes)
            if size <= before:
                self._make_freed_pages_usable()
                return
            self._map(size)
        events.lmdb_store_grown(log, path=self._path, before=before, size=size)

    def maintain(self) -> None:
        if not self._is_open:
            return
        try:
            self._env.reader_check()
        except lmdb.Error as error:
            events.lmdb_readers_not_cleared(log, path=self._path, reason=error)
        if self._options.durability != "everysec" or not self._is_dirty:
            return
        if self._syncing is None or not self._syncing.is_alive():
            self._is_dirty = False
            # fsync(2) may take long on a busy disk; py-lmdb gives up the interpreter's lock for it.
            self._syncing = threading.Thread(target=self._sync, name="kv-fsync", daemon=True)
            self._syncing.start()

    def _sync(self) -> None:
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            self._sync_failed = True
            self._is_dirty = True
            events.lmdb_sync_failed(log, path=self._path, reason=error)

    def _retry_sync(self) -> None:
        """Refuse writes as long as earlier ones can't be brought to the disk (as Redis's MISCONF)."""
        try:
            self._env.sync(True)
        except lmdb.Error as error:
            raise StoreError(f"the data can't be brought to the disk: {error}") from None
        self._sync_failed = False

    def _view(self, txn: lmdb.Transaction) -> LmdbTransaction:
        self._take_order(txn, txn.id())
        view, self._spare = self._spare, None
        if view is None:
            return LmdbTransaction(txn, self._ordered)
        view.renew(txn, self._ordered)
        return view

    def _take_order(self, txn: lmdb.Transaction, committed: int) -> None:
        """Use the databases in the order of a transaction.

        :param committed: the number of the last one that was committed before: of that, the order may be known.
        :raises StoreError: it can't be read.
        """
        if committed == self._ordered_at:
            return
        try:
            self._ordered = tuple(self._tables[number] for number in order_of(txn))
        except (lmdb.Error, IndexError) as error:
            txn.abort()
            raise StoreError(f"the order of its databases can't be read: {error}") from None
        self._ordered_at = committed

    def _not_begun(self, error: lmdb.Error) -> StoreError:
        return translated(error) if self._is_open else BrokenError()

    def _read_in_a_stale_slot(self) -> LmdbTransaction:
        """Begin a view in a slot of LMDB's table of readers that a killed process has left.

        :raises StoreError: there is no such slot.
        """
        try:
            self._env.reader_check()
            return self._view(self._env.begin())
        except lmdb.Error as error:
            raise translated(error) from None

    def _map(self, size: int) -> None:
        """Map the file anew.

        :raises StoreError: it can't be mapped. LMDB has given up the old map then, and would read from it.
        """
        try:
            self._env.set_mapsize(size)
        except lmdb.Error as error:
            self._is_open = False
            if self._syncing is not None:
                self._syncing.join()
            self._env.close()
            raise StoreError(f"the file can't be mapped: {error}") from None

    def _not_opened(self, error: Exception) -> StoreError:
        failure = foreign(error) if isinstance(error, lmdb.Error) else None
        reason = f"can't be opened: {error}" if failure is None else str(failure)
        return StoreError(f"store lmdb:{self._path} {reason}")

    def _make_freed_pages_usable(self) -> None:
        """Commit once more: LMDB reuses what a transaction has freed only in the one after the next.

        A full store would stay full for ever otherwise: a write that fails commits nothing.

        :raises FullError: that was done already, and it didn't help.
        """
        if self._env.info()["last_txnid"] == self._was_full_at:
            raise FullError(self.max_bytes)
        try:
            with self._env.begin(write=True) as txn:
                txn.put(b"full at", b"%d" % txn.id())
        except lmdb.Error as error:
            raise FullError(self.max_bytes) from error
        self._was_full_at = self._env.info()["last_txnid"]


def _allocate(path: Path) -> None:
    """Make the file of locks and readers, and have the disk's room for it.

    LMDB makes it with ftruncate(2) and writes by its map, so a disk that is full ends the process with SIGBUS. This
    process must not have it open yet: closing it would drop the locks that LMDB has by fcntl(2).
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not os.fstat(descriptor).st_size:
            os.posix_fallocate(descriptor, 0, _LOCK_FILE_BYTES)
    finally:
        os.close(descriptor)
