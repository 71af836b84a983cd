"""The file of a UNIX socket, or its abstract name: the rules for names, owners and permissions.

How a file is bound where there may be one already is in `corepool.files.socketfile`.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

import corepool
from corepool import Address, Transport
from corepool.files import socketfile
from corepool_unix import events

if TYPE_CHECKING:
    from corepool import Endpoint, FileRights

log = logging.getLogger(__name__)


def _parse_mode(value: object) -> object:
    if isinstance(value, str):
        if not re.fullmatch("0?[0-7]{3}", value):
            raise ValueError('expected an octal file mode such as "0660"')
        return int(value, 8)
    return value


class Unix(Transport):
    """Listen on a socket file or an abstract name. Connections are the plain sockets.

    In the path `%XX` is a byte: `%3F` for a question mark, `%25` for a percent sign before two hexadecimal digits.
    """

    class Options(corepool.Options):
        """The URL's ?query."""

        mode: Annotated[int | None, BeforeValidator(_parse_mode, json_schema_input_type=str)] = None
        """Permissions of the socket file, in octal: who may write may connect. Unset: 0600, or 0666 less the umask
        of [process], if there is one."""

    def __init__(self, options: Options) -> None:
        self._mode = options.mode
        self._ours: tuple[int, int] | None = None  # device and inode of the file that we made

    def check(self, endpoint: Endpoint) -> None:
        """Refuse anything but an absolute path or an @name, one that is too long, and an @name with a mode."""
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
        if (length := len(os.fsencode(path))) > socketfile.MAX_PATH_BYTES:
            raise ValueError(f"the path has {length} bytes; the system allows {socketfile.MAX_PATH_BYTES}")

    def examine(self, endpoint: Endpoint) -> None:
        """Refuse a folder that is missing or can't be written, and a file in the place of the socket."""
        if not endpoint.path.startswith("@"):
            socketfile.examine(Path(endpoint.path))

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Bind the abstract name, or make the socket file in place of one without a listening process."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            if endpoint.path.startswith("@"):
                name = b"\0" + os.fsencode(endpoint.path[1:])
                socketfile.bind_to(listening, name, f"the name {endpoint.path!r}")
                listening.listen(backlog)
            else:
                rights = endpoint.rights
                mode = _mode_of(self._mode, rights)
                path, owner = Path(endpoint.path), (rights.uid, rights.gid)
                self._ours = socketfile.listen_at(listening, path, mode, backlog, owner)
        except BaseException:
            self.close(endpoint, listening)
            raise
        return listening

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Return the URL of the path or name, without the mode."""
        return Address(endpoint.path).url

    def takes_over(self, endpoint: Endpoint, before: Endpoint) -> bool:  # noqa: ARG002
        """Take over any socket on the same path: `adopt` changes the mode."""
        return True

    def adopt(self, endpoint: Endpoint, listening: socket.socket) -> None:  # noqa: ARG002
        """Remove the socket file at the end, as if we had made it, and give it the mode that was asked for."""
        if endpoint.path.startswith("@"):
            return
        path = Path(endpoint.path)
        self._ours = socketfile.identity(path)
        if self._mode is not None:
            try:
                socketfile.change_mode(path, self._mode)
            except OSError as error:
                events.socket_mode_kept(log, path=path, reason=error.strerror)

    def close(self, endpoint: Endpoint, listening: socket.socket) -> None:
        """Remove the socket file if it is still the one that we made, then stop listening."""
        if self._ours is not None:
            socketfile.remove(Path(endpoint.path), self._ours)
            self._ours = None
        listening.close()


def _mode_of(mode: int | None, rights: FileRights) -> int:
    """Return the permissions of the file: an umask that was only inherited opens it to no other user."""
    if mode is not None:
        return mode
    return 0o600 if rights.umask is None else 0o666 & ~rights.umask
