"""The files of one listener: which they are, whether they have changed, and their content.

Nothing is parsed here. Reads nothing but regular files, and none that is too long: a FIFO would hold up the master.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
"""Of one file; lists of revoked certificates are the longest."""

_OF_OTHERS = stat.S_IROTH | stat.S_IWOTH


class Place(NamedTuple):
    """Where a certificate and its key are; they may be in one file."""

    certificate: Path
    key: Path

    @property
    def name(self) -> str:
        """The name of the pair in a folder: that of the file, without its suffix."""
        return self.certificate.stem


Stamp = tuple[str, int, int, int, int, int]
"""A file's path, and numbers of which one is another when the file has changed, or is another file."""


def in_folder(folder: Path) -> tuple[list[Place], dict[str, str]]:
    """Return the pairs in a folder, sorted by name: NAME.crt and NAME.key, or NAME.pem, or NAME.crt, with both.

    :returns: the pairs; and by name the mistakes in others: a key without a certificate, two certificates.
    :raises OSError: it can't be read. :raises ValueError: it has no pairs.
    """
    names = {each for each in os.listdir(folder) if not each.startswith(".")}  # noqa: PTH208  # its error has the path
    stems = {suffix: {each[: -len(suffix)] for each in names if each.endswith(suffix)} for suffix in _SUFFIXES}
    mistakes = {
        stem: f"{folder / stem}.key: there is no {stem}.crt beside it" for stem in sorted(stems[".key"] - stems[".crt"])
    }
    mistakes |= {
        stem: f"{folder / stem}.crt: there is a {stem}.pem, too; one of them has to go"
        for stem in sorted(stems[".crt"] & stems[".pem"])
    }
    places = [
        Place(folder / f"{stem}.crt", folder / f"{stem}{'.key' if stem in stems['.key'] else '.crt'}")
        for stem in stems[".crt"] - mistakes.keys()
    ]
    places += [Place(folder / f"{stem}.pem", folder / f"{stem}.pem") for stem in stems[".pem"] - mistakes.keys()]
    if not places and not mistakes:
        raise ValueError(f"{folder}: no certificate; expected NAME.crt and NAME.key, or NAME.pem with both")
    return sorted(places, key=lambda place: place.name), mistakes


_SUFFIXES = (".crt", ".key", ".pem")


def stamps(paths: Iterable[Path]) -> Iterator[Stamp]:
    """Yield the stamp of each file.

    :raises OSError: of stat(2); it has the path.
    """
    for path in paths:
        found = os.stat(path)  # noqa: PTH116  # a thousand of them, every ten seconds
        yield str(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read(path: Path) -> bytes:
    """Return the content of a file.

    :raises OSError: it can't be read, is no regular file, or is too long; with its path.
    """
    return _read(path)[0]


def read_secret(path: Path) -> bytes:
    """Return the content of a file that only its owner and its group may use.

    :raises OSError: as `read`.
    :raises ValueError: other users may read it, or write to it.
    """
    content, mode = _read(path)
    _refuse_open(path, mode)
    return content


def read_key(path: Path) -> bytes:
    """Return the content of a file that should have a private key. It is a secret only if it has one.

    :raises OSError: as `read`.
    :raises ValueError: it has one, and other users may read it, or write to it.
    """
    content, mode = _read(path)
    if _KEY_BEGINS in content:
        _refuse_open(path, mode)
    return content


_KEY_BEGINS = b"PRIVATE KEY-----"


def _refuse_open(path: Path, mode: int) -> None:
    if mode & _OF_OTHERS:
        raise ValueError(f"{path}: every user may use it (mode {mode:04o}), and it is a secret: chmod o= {path}")


def _read(path: Path) -> tuple[bytes, int]:
    """Return the content and the mode of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "no regular file", str(path))
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"more than {MAX_BYTES} bytes", str(path))
    return content, stat.S_IMODE(found.st_mode)
