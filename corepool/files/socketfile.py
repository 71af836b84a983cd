"""Binding a socket file that may be there already, and removing it only while it is ours.

For transports whose sockets have files, and for the control socket.

A file that a killed server left behind must not stop the next start, and a live server's file must
never be taken away. Connecting shows whether a server listens: ECONNREFUSED means that none does. But
it also means "bound and about to listen", so two starts could take each other's file:

1. A binds; the file is there, A doesn't listen yet
2. B finds the file, connects, is refused, and removes it
3. A listens on a socket that no path leads to

So everything between looking and listening, and between looking and removing, happens under a lock on
the folder itself (flock(2) works on directories and leaves nothing behind). What remains: programs that
don't take that lock, and a folder whose lock another process holds for long: the wait for it is short, since
the master has clients to serve at a reload.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.files.examining import refuse_new_file

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PATH_BYTES = 107
"""Bytes of a socket's path at most: sun_path has 108 with the closing NUL (unix(7))."""

_LOCK_DEADLINE_S = 0.1  # an honest holder keeps the lock for under a millisecond
_LOCK_POLL_S = 0.01  # flock(2) has no time-out of its own


def listen_at(
    listening: socket.socket, path: Path, mode: int, backlog: int, owner: tuple[int, int] = (-1, -1)
) -> tuple[int, int] | None:
    """Bind a UNIX socket to a file and listen, in place of a file that no process listens on.

    Ownership: the caller closes `listening`, after it has had `remove` take the file away. If this raises, no file of
    ours is left.

    :param mode: permissions that the file has from the first moment on.
    :param owner: user and group, for chown(2).
    :param backlog: how many connections the kernel may queue.
    :returns: the identity of the file, for `remove`.
    :raises OSError: in words for an operator. EADDRINUSE: a process listens there, or it is not a socket.
    """
    _refuse_missing(path.parent)
    with _locked(path.parent):
        _remove_stale(path)
        # Not chmod(2) afterwards: between the two any user could connect. The umask belongs to the
        # whole process, but the master has no other thread to make a file meanwhile.
        umask = os.umask(0o777 & ~mode)
        try:
            bind_to(listening, os.fsencode(path), f"the socket {str(path)!r}")
        finally:
            os.umask(umask)
        made = identity(path)
        try:
            if owner != (-1, -1):
                # Before listen(2): a client that connects between the two is refused.
                os.chown(path, *owner, follow_symlinks=False)
            listening.listen(backlog)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return made


def examine(path: Path) -> None:
    """Find out whether `listen_at` would succeed if no process listens there; nothing is made or changed.

    :raises OSError: as `listen_at`.
    """
    _refuse_missing(path.parent)
    _is_socket(path)
    try:
        refuse_new_file(path.parent)
    except OSError as error:
        raise _not_made(f"the socket {str(path)!r}", error) from error


def bind_to(sock: socket.socket, address: bytes, what: str) -> None:
    """Bind a UNIX socket.

    :param what: the address in words for an operator.
    :raises OSError: in words for an operator.
    """
    try:
        sock.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, f"{what} is in use: another process listens on it") from error
        raise _not_made(what, error) from error


def change_mode(path: Path, mode: int) -> None:
    """Change the permissions of a socket file; a link is not followed, and nothing but a socket touched.

    :raises OSError: as the system said, or it is not a socket.
    """
    # Not chmod(2) on the path: the folder's owner could put a link there that leads root anywhere.
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        if not stat.S_ISSOCK(status.st_mode):
            raise OSError(errno.ENOTSOCK, f"{str(path)!r} is not a socket")
        if stat.S_IMODE(status.st_mode) != mode:
            Path(f"/proc/self/fd/{fd}").chmod(mode)
    finally:
        os.close(fd)


def remove(path: Path, made: tuple[int, int]) -> None:
    """Remove a socket file if it is still the one with this identity.

    Call it while the socket is open: until then its inode number can't be given to another file. Nothing is raised:
    the pool is at its end, and a folder that has gone or can't be written any more must not stop that.
    """
    with contextlib.suppress(OSError), _locked(path.parent):
        if identity(path) == made:
            path.unlink()


def remove_stale(path: Path) -> None:
    """Remove a socket file that no process listens on; leave anything else, and raise nothing."""
    with contextlib.suppress(OSError), _locked(path.parent):
        _remove_stale(path)


def remove_refused_link(path: Path) -> None:
    """Remove a link to a socket that no process listens on; leave anything else, and raise nothing.

    A link that leads nowhere stays: a service has folders, PrivateTmp= or those of a container, that are not seen from
    here, and a pool may listen in one.
    """
    with contextlib.suppress(OSError), _locked(path.parent):
        _remove_refused_link(path)


def remove_stale_link(path: Path) -> None:
    """Remove a link that leads nowhere, or to a socket that no process listens on; leave the rest, and raise nothing.

    For a server that wants the path itself.
    """
    with contextlib.suppress(OSError), _locked(path.parent):
        _remove_stale_link(path)


def link(path: Path, target: Path) -> None:
    """Make a link to a socket, in place of a link or a socket that no process answers at.

    :raises OSError: it can't be made, or its path is taken.
    """
    with _locked(path.parent):
        if path.is_symlink():
            _remove_stale_link(path)
        else:
            _remove_stale(path)
        path.symlink_to(target)


def replace_by_link(path: Path, target: Path) -> None:
    """Make a link to a socket in place of any socket or link; clients find one of the two at every moment.

    :raises OSError: it can't be made.
    """
    beside = path.with_name(f"{path.name}~")
    with _locked(path.parent):
        beside.unlink(missing_ok=True)
        beside.symlink_to(target)
        beside.rename(path)


def unlink(path: Path, target: Path) -> None:
    """Remove a link if it leads to `target`. Nothing is raised."""
    with contextlib.suppress(OSError), _locked(path.parent):
        if path.is_symlink() and path.readlink() == target:
            path.unlink()


def identity(path: Path) -> tuple[int, int] | None:
    """Return the device and the inode of a file; None if it is missing."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, or nothing if it can't be had in time: a rare race is better than no start."""
    try:
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # files can be made in it, but it can't be read
        yield
        return
    try:
        give_up = time.monotonic() + _LOCK_DEADLINE_S
        while time.monotonic() < give_up:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_POLL_S)
            else:
                break
        yield
    finally:
        os.close(directory)  # and with it the lock


def _remove_stale_link(path: Path) -> None:
    try:
        _remove_refused_link(path)
    except FileNotFoundError:  # it leads nowhere
        path.unlink(missing_ok=True)


def _remove_refused_link(path: Path) -> None:
    """Remove a link to a socket that no process listens on.

    :raises FileNotFoundError: it leads nowhere.
    """
    if not path.is_symlink() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove the socket file at `path` if no process listens on it.

    :raises OSError: EADDRINUSE, when one does or it is not a socket.
    """
    if not _is_socket(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full backlog is an answer, too
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            reason = f"may be in use: connecting to it gave {error.strerror}"
        else:
            reason = "is in use: another process listens on it"
    raise OSError(errno.EADDRINUSE, f"the socket {str(path)!r} {reason}")


def _is_socket(path: Path) -> bool:
    """Return False if nothing is there.

    :raises OSError: EADDRINUSE, it is something else.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EADDRINUSE, f"{str(path)!r} exists and is not a socket; remove it by hand")
    except FileNotFoundError:
        return False
    return True


def _refuse_missing(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"the folder {str(folder)!r} doesn't exist")


def _not_made(what: str, error: OSError) -> OSError:
    return OSError(error.errno, f"{what} can't be made: {error.strerror}")
