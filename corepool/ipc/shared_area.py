"""The memory of the counts that workers share: who takes part, the names, the cells of counters, and tables.

It is made by the first master, mapped by all workers, and passed on at an upgrade: unlike the scoreboard it belongs to
no master. So workers register themselves, when a plugin first asks for something shared; a pool without such a plugin
pays for nothing but addresses. The directory, which has names, members and tables, is changed under lock 0.

A member is a process that takes part. It has a place, whose cells it alone writes: a counter's cell is never cleared,
and the next process in that place goes on from it, so that no total is ever moved from one cell to another. And it has
a token, which no other process ever had: what a table keeps for a member ends with its token.

Each change ends with one store that makes it valid, and a process may die before any of them.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

from corepool.errors import SetupError
from corepool.ipc.memory import make_private, share
from corepool.ipc.robust_locks import LOCK_BYTES, RobustLocks

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""Of this layout, and of the tables'. A new master with another one begins anew."""

MEMBERS = 2048
"""Processes at once: twice the rows of the scoreboard, since two masters have workers during an upgrade."""

MAX_COUNTERS, MAX_TABLES = 256, 64

MAX_TABLE_BYTES = 320 * 2**20
"""Of all tables together: 32 buckets and 32 semaphores as large as they are unless a plugin says otherwise.

Memory that no key was ever put into costs nothing.
"""

TABLE_LOCKS = 64

_LOCKS = 1 + TABLE_LOCKS

_FORMAT, _SECRET, _TOKENS, _END, _COUNTERS, _HEADER = 0, 1, 3, 4, 5, 8
"""The header: the format, two words of secret, the last token, the end of the places in use, the counters named."""

_WORD = 8
_LOCKS_AT = _HEADER
_PIDS = _LOCKS_AT + _LOCKS * LOCK_BYTES // _WORD
_MASTERS = _PIDS + MEMBERS
_TOKENS_OF = _MASTERS + MEMBERS
_USES = _TOKENS_OF + MEMBERS
_NAMES = _USES + MEMBERS
_ENTRY = 4  # two words of name, the first page, and the pages: 0 if it is free
_DIRECTORY = _NAMES + 2 * MAX_COUNTERS
_CELLS = _DIRECTORY + _ENTRY * MAX_TABLES
_PAGE = mmap.PAGESIZE
_TABLES_AT = -(-(_CELLS + MAX_COUNTERS * MEMBERS) * _WORD // _PAGE) * _PAGE
_SIZE = _TABLES_AT + MAX_TABLE_BYTES


class Member(NamedTuple):
    """A process that takes part."""

    place: int
    token: int


class SharedArea:
    """All of it. The master makes it before the first fork; workers inherit the mapping."""

    def __init__(self, fd: int | None = None, *, is_made: bool = False) -> None:
        """Map it.

        :param fd: of a file for it, by which a new master finds it; None: there is none.
        :param is_made: a master before this one has made it.
        :raises OSError: the system refuses.
        :raises ValueError: that master has made it in a way that is not known here.
        """
        if fd is not None and not is_made:
            os.ftruncate(fd, _SIZE)
        if fd is not None and os.fstat(fd).st_size != _SIZE:
            raise ValueError(f"{os.fstat(fd).st_size} bytes, not {_SIZE}")
        self.bytes = share(_SIZE, fd)
        view = memoryview(self.bytes)
        self.words = view.cast("Q")
        self._signed = view.cast("q")
        self.locks = RobustLocks(self.bytes, _LOCKS_AT * _WORD, _LOCKS)
        if not is_made:
            self.words[_SECRET : _SECRET + 2] = memoryview(os.urandom(16)).cast("Q")
            self.locks.make()
            self.words[_FORMAT] = FORMAT
        if self.words[_FORMAT] != FORMAT:
            raise ValueError(f"format {self.words[_FORMAT]}, not {FORMAT}")
        self._secret = self.words[_SECRET : _SECRET + 2].tobytes()
        self.tokens = self.words[_TOKENS_OF : _TOKENS_OF + MEMBERS]
        """Those of members, by place; 0: there is none."""
        self._pids = self.words[_PIDS : _PIDS + MEMBERS]
        self._masters = self.words[_MASTERS : _MASTERS + MEMBERS]
        self._uses = self.words[_USES : _USES + MEMBERS]
        """The tables that members use, by place: bits, by entry of the directory."""

    def join(self, pid: int, master_pid: int) -> Member:
        """Register a process.

        :raises SetupError: there is no room.
        :raises TimeoutError: a process was stopped while it had the lock.
        """
        from hashlib import blake2b  # noqa: PLC0415  # it loads OpenSSL: for workers that share something

        self._blake2b = blake2b
        with self._directory():
            self._forget_orphans()
            pids = self._pids.tolist()
            if 0 not in pids:
                raise SetupError(f"{MEMBERS} processes have shared counts; there is no room for another")
            place = pids.index(0)
            token = self.words[_TOKENS] = self.words[_TOKENS] + 1
            token = token * MEMBERS + place
            self._uses[place] = 0
            self._masters[place] = master_pid
            self.tokens[place] = token
            self._pids[place] = pid
            self.words[_END] = max(self.words[_END], place + 1)
        return Member(place, token)

    def leave(self, pid: int) -> None:
        """Note that a process has ended. By its master alone, and so without a lock."""
        with contextlib.suppress(ValueError):  # it has not taken part
            self._clear(self._pids[: self.words[_END]].tolist().index(pid))

    def is_member(self, token: int) -> bool:
        """Return whether the member with this token takes part."""
        return self.tokens[token % MEMBERS] == token

    def hash(self, key: bytes) -> bytes:
        """Return 8 bytes that stand for a key, to a member; not all of them are 0."""
        return self._blake2b(key, digest_size=8, key=self._secret).digest()

    def counter(self, name: str, place: int) -> tuple[memoryview[int], memoryview[int]]:
        """Find the cells of a counter, and that of a member; the first member that asks names it.

        :raises SetupError: too many have a name.
        :raises TimeoutError: as of `join`.
        """
        digest = self._name(f"counter {name}")
        with self._directory():
            count = self.words[_COUNTERS]
            names = self.words[_NAMES : _NAMES + 2 * count].tolist()
            number = next((at // 2 for at in range(0, 2 * count, 2) if names[at : at + 2] == digest), count)
            if number == MAX_COUNTERS:
                raise SetupError(f"shared counter {name!r}: there are {MAX_COUNTERS} names already")
            if number == count:
                self._write(_NAMES + 2 * number, digest)
                self.words[_COUNTERS] = count + 1
        first = _CELLS + number * MEMBERS
        return self._signed[first : first + MEMBERS], self._signed[first + place : first + place + 1]

    def sum(self, cells: memoryview[int]) -> int:
        """Sum the cells of a counter."""
        return sum(cells[: self.words[_END]].tolist())

    def table(self, name: str, size: int, place: int) -> int:
        """Find a table, for a member, and return its first byte; the first member that asks makes it, full of zeros.

        :param size: in bytes. A table of another size is another table.
        :raises SetupError: there are too many tables, or they would be too large.
        :raises TimeoutError: as of `join`.
        """
        digest, pages = self._name(f"table {name} {size}"), -(-size // _PAGE)
        with self._directory():
            found = next((each for each in self._tables() if each.name == digest), None)
            if found is None:
                found = self._make_table(name, digest, pages)
            self._uses[place] |= 1 << found.number
        return _TABLES_AT + found.first * _PAGE

    def forget_orphans(self) -> None:
        """Forget the processes whose master has ended, and which have ended themselves.

        :raises TimeoutError: as of `join`.
        """
        with self._directory():
            self._forget_orphans()

    def abandon(self) -> None:
        """Turn it into private memory of this process, which is forked by code in a worker."""
        make_private(self.bytes)

    @contextlib.contextmanager
    def _directory(self) -> Iterator[None]:
        self.locks.take(0)
        try:
            yield
        finally:
            self.locks.release(0)

    def _forget_orphans(self) -> None:
        end = self.words[_END]
        for place, (pid, master) in enumerate(zip(self._pids[:end], self._masters[:end], strict=True)):
            # A master that lives notes the ends of its workers itself, without the lock.
            if pid and not _exists(master) and not _exists(pid):
                self._clear(place)

    def _clear(self, place: int) -> None:
        self.tokens[place] = 0
        self._pids[place] = 0

    def _name(self, text: str) -> list[int]:
        digest = self._blake2b(text.encode(), digest_size=16).digest()
        return memoryview(digest).cast("Q").tolist()

    def _write(self, at: int, words: list[int]) -> None:
        for offset, word in enumerate(words):
            self.words[at + offset] = word

    def _tables(self) -> Iterator[_TableEntry]:
        for number in range(MAX_TABLES):
            *name, first, pages = self.words[_DIRECTORY + _ENTRY * number : _DIRECTORY + _ENTRY * (number + 1)].tolist()
            if pages:
                yield _TableEntry(number, name, first, pages)

    def _make_table(self, name: str, digest: list[int], pages: int) -> _TableEntry:
        tables = list(self._tables())
        entry = self._place_table(tables, digest, pages)
        if entry is None:
            used = 0
            for uses, pid in zip(self._uses, self._pids, strict=True):
                used |= uses if pid else 0
            for each in tables:
                if not used >> each.number & 1:
                    self.words[_DIRECTORY + _ENTRY * each.number + 3] = 0
            entry = self._place_table([each for each in tables if used >> each.number & 1], digest, pages)
        if entry is None:
            raise SetupError(
                f"shared table {name!r}: there is no room for {pages * _PAGE / 2**20:.1f} MiB beside "
                f"{len(list(self._tables()))} others; all may have {MAX_TABLE_BYTES // 2**20} MiB, and be {MAX_TABLES}"
            )
        start = _TABLES_AT + entry.first * _PAGE
        self.bytes.madvise(mmap.MADV_REMOVE, start, pages * _PAGE)  # the pages of one before it are zeros again
        at = _DIRECTORY + _ENTRY * entry.number
        self._write(at, [*digest, entry.first])
        self.words[at + 3] = pages
        return entry

    def _place_table(self, tables: list[_TableEntry], digest: list[int], pages: int) -> _TableEntry | None:
        """Find the lowest room that is large enough."""
        numbers = {*range(MAX_TABLES)} - {each.number for each in tables}
        first = 0
        for each in sorted(tables, key=lambda table: table.first):
            if each.first - first >= pages:
                break
            first = each.first + each.pages
        if not numbers or (first + pages) * _PAGE > MAX_TABLE_BYTES:
            return None
        return _TableEntry(min(numbers), digest, first, pages)


class _TableEntry(NamedTuple):
    number: int
    name: list[int]
    first: int
    pages: int


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
