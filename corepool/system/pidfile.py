"""The pidfile: the master's process id, in a file that is locked for as long as the master lives.

The lock says whether a master runs, not the number in it: a file that a killed master left behind is taken over, even
if its number belongs to some other process by now. The lock, flock(2), belongs to the open file, which workers inherit
and close at once; so it ends with the master, whatever ends that.

A file may be removed between our opening and our locking it (its owner leaves just then): we would hold the lock of a
file that has no name, beside another master that holds one of its own. So the locked file is compared with the path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from typing import TYPE_CHECKING

from corepool.errors import ConfigError
from corepool.files.examining import refuse_unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# O_NOFOLLOW: in a folder that others can write to, root must not be led to another file.
# O_NONBLOCK: a FIFO without a reader must not keep us.
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_MAX_BYTES = 32  # a number and a newline; a longer file is not a pidfile


class PidFile:
    """The file at `path`, from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._fd = -1

    def acquire(self) -> None:
        """Lock the file, made if need be, and write our process id into it.

        :raises ConfigError: another master runs, the file is something else, or it can't be made.
        """
        try:
            self._fd = _lock(self._path)
        except OSError as error:
            raise ConfigError([f'process.pidfile = "{self._path}": {error.strerror}']) from None

    def examine(self) -> None:
        """Find out whether `acquire` would succeed if no other master runs; nothing is made or changed.

        :raises ConfigError: as `acquire`.
        """
        try:
            refuse_unwritable(self._path)
            if os.path.lexists(self._path):
                fd = os.open(self._path, _FLAGS)
                try:
                    _refuse_others_data(fd)
                finally:
                    os.close(fd)
        except OSError as error:
            raise ConfigError([f'process.pidfile = "{self._path}": {error.strerror}']) from None

    def take_over(self) -> None:
        """Replace the file that the master before us holds by a locked one of our own, at an upgrade.

        :raises ConfigError: it can't be made.
        """
        # That master removes its file only if it is still the one it has locked.
        beside = PidFile(self._path.with_name(f"{self._path.name}~"))
        beside.acquire()
        try:
            beside._path.replace(self._path)
        except OSError as error:
            beside.release()
            raise ConfigError([f'process.pidfile = "{self._path}": {error.strerror}']) from None
        self._fd = beside._fd

    def release(self) -> None:
        """Remove the file if it is still ours, and give up the lock. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            # Removed before it is unlocked, or we might remove the file that the next master has just locked.
            if _is_at(fd, self._path):
                self._path.unlink()
        except OSError:
            pass  # the folder is gone or read-only by now; a file without a lock hinders no start
        os.close(fd)


@contextlib.contextmanager
def held(pidfile: PidFile | None, *, later: bool) -> Iterator[None]:
    """Hold a pidfile, if there is one, until the pool has ended.

    :param later: don't acquire it now: it will be taken over from another master, by `take_over`.
    """
    try:
        if pidfile is not None and not later:
            pidfile.acquire()
        yield
    finally:
        if pidfile is not None:
            pidfile.release()


def _lock(path: Path) -> int:
    while True:
        fd, is_new = _open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(fd, path):
                os.close(fd)
                continue
            _refuse_others_data(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            pid = os.pread(fd, _MAX_BYTES, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise OSError(errno.EAGAIN, f"another master runs (pid {pid}); stop it, or choose another file") from None
        except BaseException:
            if is_new and _is_at(fd, path):
                path.unlink()  # the disk is full: an empty one is useless
            os.close(fd)
            raise
        return fd


def _open(path: Path) -> tuple[int, bool]:
    """Open the file, and tell whether we have made it."""
    try:
        return os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644), True
    except FileExistsError:
        return os.open(path, _FLAGS | os.O_CREAT, 0o644), False


def _refuse_others_data(fd: int) -> None:
    """Keep a misspelt path from overwriting another file.

    :raises OSError: EEXIST, when it is neither empty nor a pidfile.
    """
    if not stat.S_ISREG(os.fstat(fd).st_mode) or not re.fullmatch(rb"\s*\d*\s*", os.pread(fd, _MAX_BYTES, 0)):
        raise OSError(errno.EEXIST, "the file exists and is no pidfile; remove it by hand, or choose another path")


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False
