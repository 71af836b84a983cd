"""Binding a socket file that may be there already, and removing it only while it is ours.

A file that a killed server left behind must not stop the next start, and a live server's file must
never be taken away. Whether somebody listens is asked by connecting: ECONNREFUSED means nobody. But
it also means "bound and about to listen", so two starts could take each other's file:

1. A binds; the file is there, nobody listens yet
2. B finds the file, connects, is refused, and removes it
3. A listens on a socket that no path leads to

So everything between looking and listening, and between looking and removing, happens under a lock on
the folder itself (flock(2) works on directories and leaves nothing behind). What remains: programs that
don't take that lock, and a folder whose lock somebody else holds for long, which is not waited for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

import corepool
from corepool import Address, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool import Endpoint, FileRights

_MAX_PATH_BYTES = 107  # sun_path has 108 with the closing NUL; unix(7)
_LOCK_DEADLINE_S = 1.0  # an honest holder keeps the lock for under a millisecond
_LOCK_POLL_S = 0.01  # flock(2) has no time-out of its own


def _parse_mode(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch("0?[0-7]{3}", value):
            raise ValueError('expected an octal file mode such as "0660"')
        return int(value, 8)
    return value


class Unix(Transport):
    """Listen on a socket file or an abstract name. Connections are the plain sockets."""

    class Options(corepool.Options):
        """The URL's ?query."""

        mode: Annotated[int | None, BeforeValidator(_parse_mode, json_schema_input_type=str)] = None
        """Permissions of the socket file, in octal: who may write may connect. Unset: 0600, or 0666 less the umask
        of [process], if there is one."""

    def __init__(self, options: Options) -> None:
        self._mode = options.mode
        self._ours: tuple[int, int] | None = None  # device and inode of the file that we made

    def check(self, endpoint: Endpoint) -> None:
        """Refuse what is neither an absolute path nor an @name, is too long, or gives an @name a mode."""
        path = endpoint.path
        if endpoint.host or endpoint.port is not None:
            raise ValueError(f"the path must begin with '/'; did you mean unix:///{endpoint.host}{path}?")
        if path.startswith("@"):
            if len(path) == 1:
                raise ValueError("a name is missing after '@'")
            if "mode" in endpoint.query:
                raise ValueError("mode has no meaning for an abstract name: there is no file")
        elif not path.startswith("/") or path.endswith("/"):
            raise ValueError(f"expected unix:///absolute/path or unix:@name, got the path {path!r}")
        if "\0" in path:
            raise ValueError("a NUL byte can't be part of a path")
        # The '@' stands for the NUL byte with which the kernel marks an abstract name.
        if (length := len(os.fsencode(path))) > _MAX_PATH_BYTES:
            raise ValueError(f"the path has {length} bytes; the system allows {_MAX_PATH_BYTES}")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Bind the abstract name, or make the socket file in place of one that nobody listens on."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            if endpoint.path.startswith("@"):
                _bind(listening, b"\0" + os.fsencode(endpoint.path[1:]), f"the name {endpoint.path!r}")
                listening.listen(backlog)
            else:
                self._listen_on_file(listening, Path(endpoint.path), backlog, endpoint.rights)
        except BaseException:
            self.close(endpoint, listening)
            raise
        return listening

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Give the path or name, without the mode."""
        return f"unix:{endpoint.path}" if endpoint.path.startswith("@") else f"unix://{endpoint.path}"

    def address(self, sockaddr: object) -> Address:
        """Take the path or @name; a client seldom has one, and is "unix" then."""
        match sockaddr:
            case bytes() if sockaddr.startswith(b"\0"):
                return Address("@" + os.fsdecode(sockaddr[1:]))
            case str() | bytes() if sockaddr:
                return Address(os.fsdecode(sockaddr))
            case _:
                return Address("unix")

    def adopt(self, endpoint: Endpoint, listening: socket.socket) -> None:  # noqa: ARG002
        """Remove the socket file at the end, as if we had made it."""
        if not endpoint.path.startswith("@"):
            self._ours = _identity(Path(endpoint.path))

    def close(self, endpoint: Endpoint, listening: socket.socket) -> None:
        """Remove the socket file if it is still the one that we made, then stop listening."""
        # In this order: while our socket is open its inode number can't be given to another file.
        if self._ours is not None:
            path = Path(endpoint.path)
            # Nobody is left to tell if the folder has gone or can't be written any more.
            with contextlib.suppress(OSError), _locked(path.parent):
                if _identity(path) == self._ours:
                    path.unlink()
            self._ours = None
        listening.close()

    def _listen_on_file(self, listening: socket.socket, path: Path, backlog: int, rights: FileRights) -> None:
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"the folder {str(path.parent)!r} doesn't exist")
        with _locked(path.parent):
            _remove_stale(path)
            # Not chmod(2) afterwards: between the two anybody could connect. The umask belongs to the
            # whole process, but the master has no other thread to make a file meanwhile.
            umask = os.umask(0o777 & ~_mode_of(self._mode, rights))
            try:
                _bind(listening, os.fsencode(path), f"the socket {str(path)!r}")
            finally:
                os.umask(umask)
            self._ours = _identity(path)
            if (rights.uid, rights.gid) != (-1, -1):
                # Nobody listens yet: whoever could connect between the two would be refused.
                os.chown(path, rights.uid, rights.gid, follow_symlinks=False)
            listening.listen(backlog)


def _bind(listening: socket.socket, address: bytes, what: str) -> None:
    try:
        listening.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, f"{what} is in use: another process listens on it") from error
        raise OSError(error.errno, f"{what} can't be made: {error.strerror}") from error


def _mode_of(mode: int | None, rights: FileRights) -> int:
    """Say what permissions the file gets: an umask that was only inherited opens it to nobody."""
    if mode is not None:
        return mode
    return 0o600 if rights.umask is None else 0o666 & ~rights.umask


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, or nothing if it can't be had in time: a rare race beats no start."""
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


def _remove_stale(path: Path) -> None:
    """Remove the socket file at `path` if nobody listens on it.

    :raises OSError: EADDRINUSE, when somebody does or it is no socket.
    """
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EADDRINUSE, f"{str(path)!r} exists and is no socket; remove it by hand")
    except FileNotFoundError:
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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
