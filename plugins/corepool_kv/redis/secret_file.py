"""A file that holds a secret."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_MAX_BYTES = 1 << 20


def read_secret(path: str) -> str:
    """Read a secret, less a line break at its end; bytes that are not UTF-8 are kept as surrogates.

    :raises ValueError: it can't be read, others may read it too, or there is nothing in it.
    """
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("is not a file")
            if status.st_mode & stat.S_IROTH:
                name = Path(path).name
                raise ValueError(f"every user may read it: chmod o-r {name}, or mount it with mode 0440")
            content = file.read(_MAX_BYTES)
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from None
    secret = content.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise ValueError("there is nothing in it")
    return secret.decode(errors="surrogateescape")


def _open(path: str, flags: int) -> int:
    # Opening a named pipe would wait for a writer.
    return os.open(path, flags | os.O_NONBLOCK)
