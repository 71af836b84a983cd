"""Messages in a SQLite file to which threads of several processes write.

Each thread has a connection: SQLite's are not for sharing. Readers never wait, since the journal is a write-ahead log.
As for writers, the threads of one process wait for each other at a lock, and the processes at SQLite's own, which is
polled: the fewer wait there the better.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from corepool_syslog.message import MalformedError, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, received TEXT NOT NULL, peer TEXT NOT NULL, facility INTEGER NOT NULL,
    severity INTEGER NOT NULL, time TEXT NOT NULL, host TEXT NOT NULL, app TEXT NOT NULL, process TEXT NOT NULL,
    kind TEXT NOT NULL, structured TEXT NOT NULL, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS malformed (
    id INTEGER PRIMARY KEY, received TEXT NOT NULL, peer TEXT NOT NULL, reason TEXT NOT NULL, raw BLOB NOT NULL
);
"""
_INSERT = "INSERT INTO messages VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_MALFORMED = "INSERT INTO malformed VALUES (NULL, ?, ?, ?, ?)"

_BUSY_TIMEOUT_S = 30.0
"""How long another process may write before an insert fails: then the sender is cut off, and sends again."""


class Store:
    """A database for the threads of one process."""

    def __init__(self, path: Path) -> None:
        """Open it, and make it if it is not there."""
        self._path = path
        self._turn = threading.Lock()
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        # When two switch to the write-ahead log together, one is told "locked" at once, whatever its time-out.
        with path.with_name(path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with closing(self._open()) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)

    def write(self, peer: str, batch: Sequence[bytes]) -> None:
        """Store messages, all of them or none. One that is malformed is kept as it came.

        :raises sqlite3.Error: the disk is full, or the database was locked for too long.
        """
        if not batch:
            return
        received = datetime.now(UTC).isoformat(timespec="milliseconds")
        rows: list[tuple[object, ...]] = []
        malformed: list[tuple[object, ...]] = []
        for raw in batch:
            try:
                message = parse(raw)
            except MalformedError as error:
                malformed.append((received, peer, str(error), raw))
            else:
                rows.append((received, peer, *(getattr(message, name) for name in message.__slots__)))
        with self._turn:
            self._insert(rows, malformed)

    def close(self) -> None:
        """Close what the threads have opened. They must have ended."""
        for connection in self._opened:
            connection.close()

    def _insert(self, rows: list[tuple[object, ...]], malformed: list[tuple[object, ...]]) -> None:
        connection = self._connection()
        # IMMEDIATE: a transaction that reads first and writes then may be refused without waiting.
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_INSERT, rows)
            connection.executemany(_INSERT_MALFORMED, malformed)
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
            self._opened.append(connection)
        return connection

    def _open(self) -> sqlite3.Connection:
        # Used by one thread, but closed by another, at the end.
        connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")  # with a write-ahead log: a crash of the machine alone costs
        return connection
