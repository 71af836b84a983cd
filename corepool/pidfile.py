"""The pidfile: the master's pid in a file that is locked as long as the master runs.

The lock is what counts: a file without one is left over from a master that was killed, and is taken over.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from corepool.errors import ControlError

if TYPE_CHECKING:
    from pathlib import Path


class PidFile:
    """Owns the file at `path` from `acquire` to `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self) -> None:
        """Lock the file and write our pid into it.

        :raises ControlError: another pool holds it, or it can't be written.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise ControlError(f"pidfile {self._path}: {error.strerror}") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(fd, 32).decode("ascii", "replace").strip()
            os.close(fd)
            raise ControlError(f"pidfile {self._path}: another pool runs with it (pid {pid})") from None
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
        self._fd = fd

    def take_over(self) -> None:
        """Put a file of our own, locked, in the place of that of the master before us, which still holds it.

        :raises ControlError: it can't be written.
        """
        beside = PidFile(self._path.with_name(f"{self._path.name}~"))
        beside.acquire()
        beside._path.rename(self._path)
        self._fd = beside._fd

    def release(self) -> None:
        """Remove the file, if it is still ours. Idempotent."""
        if self._fd < 0:
            return
        fd, self._fd = self._fd, -1
        try:
            if os.path.samestat(os.fstat(fd), self._path.lstat()):
                self._path.unlink()
        except OSError:
            pass  # somebody has removed it
        os.close(fd)
