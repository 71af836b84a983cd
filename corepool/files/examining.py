"""Finding out whether a file can be opened for writing, without making it or changing anything."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def refuse_unwritable(path: str | os.PathLike[str]) -> None:
    """Raise what opening a file for writing, which makes a file that is missing, would raise now.

    For plugins that check a path of their options, too. Only the opening itself finds a disk that is full, or a named
    pipe that no process reads.

    :raises OSError: as open(2) would.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # a str, as its errors name it
    except FileNotFoundError:
        refuse_new_file(Path(path).parent)
        return
    if stat.S_ISDIR(mode):
        raise _error(errno.EISDIR, path)
    if stat.S_ISSOCK(mode):
        raise _error(errno.ENXIO, path)
    if stat.S_ISREG(mode):
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
    elif not os.access(path, os.W_OK, effective_ids=True):  # opening a pipe or a device may do something
        raise _error(errno.EACCES, path)


def refuse_new_file(folder: Path) -> None:
    """Raise what making a file in a folder would raise now.

    :raises OSError: as open(2) would.
    """
    if not stat.S_ISDIR(folder.stat().st_mode):
        raise _error(errno.ENOTDIR, folder)
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        is_read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
        raise _error(errno.EROFS if is_read_only else errno.EACCES, folder)


def refuse_new_folder(folder: Path) -> None:
    """Raise what making a folder, with the missing ones above it, would raise now.

    :raises OSError: as mkdir(2) would.
    """
    above = folder.absolute()
    while not os.path.lexists(above):
        above = above.parent
    if above != folder.absolute():
        refuse_new_file(above)
    elif not folder.is_dir():
        raise _error(errno.EEXIST, folder)


def _error(number: int, path: str | os.PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))
