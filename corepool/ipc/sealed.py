"""Bytes for other processes in memory that is sealed and has no name: no reader can change it, and no disk has it."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from corepool.files.descriptors import release

if TYPE_CHECKING:
    from collections.abc import Sequence

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def sealed(content: bytes, name: str) -> int:
    """Return the descriptor of memory that holds `content`; the caller owns it.

    :param name: shown by the system, /proc/PID/fd for one.
    :raises OSError: the system has no memory or descriptor to give.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        release(fd)
        raise
    return fd


def read_sealed(fds: Sequence[int], most: int) -> bytes:
    """Read the content of the one descriptor that has come with a message; the caller still owns it.

    :param most: bytes.
    :raises ValueError: it is longer.
    :raises OSError: it has not arrived, or can't be read.
    """
    if not fds:
        raise OSError("out of descriptors: the file did not arrive")
    (fd,) = fds
    size = os.fstat(fd).st_size
    if size > most:
        raise ValueError(f"a file of {size} bytes; at most {most} are taken")
    # By position: all processes share the place that read(2) goes on from.
    pieces, place = [], 0
    while place < size:
        pieces.append(os.pread(fd, size - place, place))
        if not pieces[-1]:
            raise OSError("the file is shorter than it says")
        place += len(pieces[-1])
    return b"".join(pieces)
