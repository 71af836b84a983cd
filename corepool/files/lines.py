"""A file of lines that several workers write, such as an access log: gathered, and written once a batch.

A file is opened for appending, so that the lines of several workers stay whole. A pipe gets whole lines too, in
pieces of PIPE_BUF bytes at most, which are never mixed with what others write (pipe(7)); longer lines are cut.
Writing never waits: lines that a slow reader doesn't take are lost, and the log says so.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import time
from typing import TYPE_CHECKING

from corepool.errors import SetupError
from corepool.files import events
from corepool.files.examining import refuse_unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.spec.worker import Worker

log = logging.getLogger(__name__)

_MAX_WAITING = 10_000
"""Lines that may wait for the end of a batch: a drain may close every connection in one. More are written earlier."""

_MODE = 0o640


class LineFile:
    """One worker's way to the file. A plugin makes it in `on_worker_start` and has it reopened on USR1."""

    def __init__(self, path: str, worker: Worker) -> None:
        """Open the file, and make it if need be.

        :param path: "-" for standard output.
        :raises SetupError: it can't be opened.
        """
        self._path = path
        self._worker = worker
        self._lines: list[bytes] = []
        self._lost = 0
        self._is_torn = False
        self._is_announced = False
        try:
            self._fd = os.dup(sys.stdout.fileno()) if path == "-" else _open(path)
        except OSError as error:
            raise SetupError(f"log file {path} can't be opened: {error.strerror}") from None
        self._examine()

    def write(self, line: str) -> None:
        """Add a line, which ends in a line break; it is written when the batch is over."""
        if len(self._lines) >= _MAX_WAITING:
            self.flush()
        self._lines.append(line.encode())
        if not self._is_announced:
            self._is_announced = True
            self._worker.at_batch_end(self.flush)

    def flush(self) -> None:
        """Write the gathered lines."""
        self._is_announced = False
        lines, self._lines = self._lines, []
        if not lines:
            return
        written = 0
        try:
            for count, piece in [(len(lines), b"".join(lines))] if self._is_file else _packed(lines):
                if not self._is_file and not self._poller.poll(0):
                    self._lose(len(lines) - written, "it is not read")
                    return
                rest = memoryview(b"\n" + piece if self._is_torn else piece)
                while rest:
                    size = os.write(self._fd, rest)
                    # A full disk takes half a line; the next line must not look like its end.
                    self._is_torn = rest[size - 1] != ord("\n")
                    rest = rest[size:]
                written += count
        except OSError as error:
            self._lose(len(lines) - written, str(error))
            return
        if self._lost:
            events.lines_written_again(log, path=self._path, lost=self._lost)
            self._lost = 0

    def reopen(self) -> None:
        """Open the file anew, after it was moved away. The old one is kept when that fails."""
        if self._path == "-":
            return
        self.flush()
        try:
            fd = _open(self._path)
        except OSError as error:
            events.lines_not_reopened(log, path=self._path, reason=error)
            return
        os.dup2(fd, self._fd, inheritable=False)
        self._is_torn = False
        os.close(fd)
        self._examine()

    def close(self) -> None:
        """Write the gathered lines, and close."""
        self.flush()
        os.close(self._fd)

    def _examine(self) -> None:
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._poller = select.poll()
        self._poller.register(self._fd, select.POLLOUT)

    def _lose(self, lines: int, why: str) -> None:
        if not self._lost:
            events.lines_lost(log, path=self._path, reason=why)
        self._lost += lines


def examine(path: str) -> str:
    """Return a path if a `LineFile` of it could be opened, by this user: a validator for options.

    :raises ValueError: it could not; says why.
    """
    if path != "-":
        try:
            refuse_unwritable(path)
        except OSError as error:
            raise ValueError(f"can't be opened: {error.strerror}") from None
    return path


def _open(path: str) -> int:
    # NONBLOCK: opening a named pipe without a reader would wait for one, and the worker with it.
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK, _MODE)


def _packed(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Join lines into pieces that a pipe takes whole, each with the number of its lines."""
    piece: list[bytes] = []
    size = 0
    for whole in lines:
        line = whole
        if len(line) > select.PIPE_BUF:
            # If it were split, the rest could look like a line of its own, and most of it comes from a client.
            line = line[: select.PIPE_BUF - 1] + b"\n"
        if piece and size + len(line) > select.PIPE_BUF:
            yield len(piece), b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield len(piece), b"".join(piece)


def moment(seconds: float) -> str:
    """Spell a time as the log does: 2026-01-31T12:00:00.123Z (RFC 3339, so that files of many machines can be merged).

    :param seconds: since 1970.
    """
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{milliseconds:03}Z"
