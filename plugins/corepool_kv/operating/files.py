"""Files that appear under their name when they are complete and on the disk."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""Errors of link(2) by file systems without it."""


@contextmanager
def complete_file(path: Path, *, replaces: bool) -> Iterator[int]:
    """Yield a descriptor for the content of a new file, which its user alone may read; an exception leaves no file.

    A process that is killed leaves a file whose name begins with a dot and ends with `.part`.

    :raises FileExistsError: there is a file of the name, and it is not to be replaced.
    :raises OSError: it can't be written.
    """
    if not replaces and os.path.lexists(path):
        raise FileExistsError(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
        os.fsync(descriptor)
        if replaces:
            part.replace(path)
        else:
            _name(part, path)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            part.unlink()
    sync_folder(path.parent)


def _name(part: Path, path: Path) -> None:
    """Have a complete file appear under its name.

    :raises FileExistsError: the name was taken meanwhile.
    """
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without links, such as exFAT. The empty file takes the name: it is there or not in one step.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            part.replace(path)
        except OSError:
            path.unlink()
            raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
