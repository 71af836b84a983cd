"""Taking over a descriptor that is a listening socket already, and giving it back as it came.

Whether a descriptor is ours to take is told by its close-on-exec flag. One that was inherited can't have it, since
execve(2) would have closed it; everything that this process has opened has it, and so has a socket taken before. So
`fd://7` never takes the log for a socket, two listeners never take the same one, and nothing has to be remembered.

Closing only takes that mark away again. The descriptor stays open: it belongs to the process that passed it, a later
reload may name it again, and connections that come meanwhile wait in its backlog for the next server. Nothing is shut
down either, for that would end the socket for all who hold it; no socket file is removed.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import Field

import corepool
from corepool import Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corepool import Endpoint

_FIRST = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3); those below are the standard streams
_LAST = 2**31 - 1  # descriptors are C's int

_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class _Inherited(Transport):
    """The common part of both: everything but the name of the descriptor."""

    outlives: ClassVar[bool] = True

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Return the URL that a client connects to, in the form of the transports tcp and unix."""
        return self.address(listening.getsockname()).url

    def relisten(self, listening: socket.socket, backlog: int) -> None:
        """Do nothing: the backlog is the choice of who bound the socket."""

    def close(self, endpoint: Endpoint, listening: socket.socket) -> None:  # noqa: ARG002
        """Release the descriptor without closing it."""
        if (descriptor := listening.detach()) >= 0:
            os.set_inheritable(descriptor, True)


class Fd(_Inherited):
    """Listen on an inherited descriptor, by its number."""

    def check(self, endpoint: Endpoint) -> None:
        """Refuse anything but the number of a descriptor that could be inherited."""
        number = _name_in(endpoint)
        if not re.fullmatch("[0-9]{1,10}", number) or not _FIRST <= int(number) <= _LAST or endpoint.path:
            raise ValueError(f"expected fd://N, where N is the number of a descriptor, {_FIRST} or more")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:  # noqa: ARG002
        """Take over the descriptor. `backlog` is ignored: the socket has one."""
        number = _name_in(endpoint)
        return _take(int(number), f"descriptor {number}")


class Systemd(_Inherited):
    """Listen on a socket that the service manager has passed, by its name."""

    class Options(corepool.Options):
        """The URL's ?query."""

        index: Annotated[int, Field(ge=0)] | None = None
        """Which one of several sockets of that name, from 0, in the unit's order: those of a unit share a name."""

    def __init__(self, options: Options) -> None:
        self._index = options.index

    def check(self, endpoint: Endpoint) -> None:
        """Refuse a name that can't be a FileDescriptorName."""
        name = _name_in(endpoint)
        if endpoint.path or ":" in name or not name.isprintable():
            raise ValueError("expected systemd://NAME, where NAME is the FileDescriptorName of a socket unit")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:  # noqa: ARG002
        """Find the socket by the environment (sd_listen_fds_with_names(3)), and take it over."""
        name = _name_in(endpoint)
        passed = list(_passed(os.environ))
        found = [descriptor for descriptor, its_name in passed if name in ("", its_name)]
        what = f"socket {name!r}" if name else "socket"
        if not found:
            names = ", ".join(dict.fromkeys(its_name for _, its_name in passed))
            raise OSError(errno.ENOENT, f"the service manager has passed no {what}; it has passed {names or 'none'}")
        if self._index is None and len(found) > 1:
            raise OSError(
                errno.EINVAL, f"the service manager has passed {len(found)} of them; ?index=0 is the first, and so on"
            )
        index = self._index or 0
        if index >= len(found):
            last = len(found) - 1
            raise OSError(errno.ENOENT, f"the service manager has passed {len(found)} of them; the last is {last}")
        return _take(found[index], f"{what} (descriptor {found[index]})")


def _name_in(endpoint: Endpoint) -> str:
    """Return the part in the host's place; unlike hosts, names are case-sensitive."""
    return urlsplit(endpoint.url).netloc


def _passed(environment: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """List the sockets that the service manager has passed, and their names.

    :raises OSError: they are not for this process.
    """
    count = environment.get("LISTEN_FDS", "")
    if not re.fullmatch("[0-9]{1,9}", count):
        return
    pid = environment.get("LISTEN_PID", "")
    if pid != str(os.getpid()):
        # A shell in between passes the variables on, but they are meant for the shell's process.
        raise OSError(
            errno.ESRCH,
            f"the service manager has passed its sockets to process {pid or '(none)'}, and this is {os.getpid()}; "
            "start corepool itself, or by `exec`",
        )
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    for number in range(int(count)):
        # As sd_listen_fds_with_names(3) calls those of a manager that gives no names.
        yield _FIRST + number, names[number] if number < len(names) and names[number] else "unknown"


def _take(descriptor: int, what: str) -> socket.socket:
    """Make a socket object of a descriptor that was inherited.

    Ownership: the socket's from now on; if this raises, the descriptor is as it was.

    :raises OSError: in words for an operator.
    """
    try:
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        is_ours = not os.get_inheritable(descriptor)
    except OSError as error:
        raise OSError(error.errno, f"{what} was not passed to this process: {error.strerror}") from error
    if not is_socket:
        raise OSError(errno.ENOTSOCK, f"{what} is not a socket")
    if is_ours:
        raise OSError(errno.EADDRINUSE, f"{what} is in use by this pool already, or was not passed to it")
    listening = socket.socket(fileno=descriptor)
    try:
        _refuse_unfit(listening, what)
        listening.setblocking(False)
        if listening.family != socket.AF_UNIX:
            # As the transport tcp does, and for its reasons: accepted sockets inherit them.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    except BaseException:
        listening.detach()
        raise
    listening.set_inheritable(False)
    return listening


def _refuse_unfit(listening: socket.socket, what: str) -> None:
    if listening.family not in _FAMILIES or listening.type != socket.SOCK_STREAM:
        raise OSError(errno.EPROTOTYPE, f"{what} is neither a TCP nor a UNIX stream socket")
    if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, f"{what} does not listen; the process that binds it must call listen(2) as well")
