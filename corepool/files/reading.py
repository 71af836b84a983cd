"""Reading a whole file that a person has named: it may be a pipe, as that of the shell's `<(command)` is."""

from __future__ import annotations

import os
import select
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE_S = 30.0
"""How long a program may take to write the next bytes to a pipe."""


class NotReadError(OSError):
    """Nothing comes out of a pipe; `strerror` says why."""


def read_whole(path: str | Path, limit: int) -> bytes:
    """Read a file, or what another program writes to a pipe.

    A pipe that no program writes to would never end to be opened (fifo(7)), so it is opened without waiting.

    :param limit: bytes; of a longer file one more is returned.
    :raises OSError: as open(2) and read(2) raise it.
    :raises NotReadError: it is a pipe, and no program writes to it, or for too long.
    :raises ValueError: there is a NUL in the path.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        pieces: list[bytes] = []
        left = limit + 1
        while left:
            try:
                piece = os.read(fd, left)
            except BlockingIOError:
                _wait(fd)
                continue
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        if not pieces and stat.S_ISFIFO(mode):
            raise NotReadError(0, "it is a pipe that no program writes to")
        return b"".join(pieces)
    finally:
        os.close(fd)


def _wait(fd: int) -> None:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(_PATIENCE_S * 1000):
        raise NotReadError(0, f"it is a pipe to which its program writes nothing for {_PATIENCE_S:g} s")
