"""The transports `fd` and `systemd`: sockets that somebody else has bound.

`fd://3` is a descriptor that was inherited; `systemd://http` is the socket that a systemd unit names so
(FileDescriptorName=http), or `systemd://` the only one (sd_listen_fds(3)). TCP and UNIX sockets. Whoever bound them
owns them: at the end they are closed, and a socket file stays.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from corepool import Address, Transport

if TYPE_CHECKING:
    from corepool import Endpoint

_FIRST = 3
"""SD_LISTEN_FDS_START."""


class Inherited(Transport):
    """Take over a listening socket, whatever it is."""

    def check(self, endpoint: Endpoint) -> None:
        """Refuse what names no descriptor."""
        if not endpoint.host.isdecimal() or endpoint.port is not None or endpoint.path:
            raise ValueError("expected fd://N, where N is the number of a descriptor")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Take the descriptor; it has been bound, and may be listening already."""
        return _take(int(endpoint.host), f"descriptor {endpoint.host}", backlog)

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Give the address that it is bound to, as the other transports would."""
        name = listening.getsockname()
        if listening.family == socket.AF_UNIX:
            text = str(self.address(name))
            return f"unix:{text}" if text.startswith("@") else f"unix://{text}"
        return f"tcp://{self.address(name)}"

    def address(self, sockaddr: object) -> Address:
        """Take host and port, or the path, or "unix" for a client that has none."""
        if isinstance(sockaddr, tuple) and len(sockaddr) >= 2:
            host, port = sockaddr[:2]
            return Address(host, port) if isinstance(host, str) and isinstance(port, int) else Address("unknown")
        if isinstance(sockaddr, bytes) and sockaddr.startswith(b"\0"):
            return Address("@" + os.fsdecode(sockaddr[1:]))
        if isinstance(sockaddr, str | bytes) and sockaddr:
            return Address(os.fsdecode(sockaddr))
        return Address("unix")


class Systemd(Inherited):
    """Take over a socket of systemd's (or of systemd-socket-activate(1)), by its name."""

    def check(self, endpoint: Endpoint) -> None:
        """Refuse what is no name."""
        if endpoint.port is not None or endpoint.path:
            raise ValueError("expected systemd://NAME, where NAME is the FileDescriptorName of a socket unit")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Find the descriptor by $LISTEN_FDS and $LISTEN_FDNAMES."""
        if os.environ.get("LISTEN_PID") != str(os.getpid()):
            raise OSError(0, "systemd has passed no sockets to this process ($LISTEN_PID); is there a socket unit?")
        count = os.environ.get("LISTEN_FDS", "")
        names = os.environ.get("LISTEN_FDNAMES", "").split(":")
        fds = range(_FIRST, _FIRST + (int(count) if count.isdecimal() else 0))
        if not endpoint.host and len(fds) == 1:
            return _take(_FIRST, "the socket of systemd", backlog)
        # Several sockets of one unit have the same name: each listener takes the next one that nobody has taken.
        for fd, name in zip(fds, names, strict=False):
            if name == endpoint.host and _is_inheritable(fd):
                return _take(fd, f"systemd's socket {name!r}", backlog)
        passed = ", ".join(sorted(set(names))) if fds else "none"
        raise OSError(0, f"systemd has passed no (further) socket named {endpoint.host!r}; it has passed: {passed}")


def _is_inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def _take(fd: int, what: str, backlog: int) -> socket.socket:
    try:
        listening = socket.socket(fileno=fd)
    except OSError as error:
        raise OSError(error.errno, f"{what} is no socket: {error.strerror}") from error
    if listening.type != socket.SOCK_STREAM or listening.family not in {
        socket.AF_INET,
        socket.AF_INET6,
        socket.AF_UNIX,
    }:
        listening.detach()
        raise OSError(0, f"{what} is no TCP or UNIX stream socket")
    # What takes it marks it as taken: programs that workers start must not have it, and no listener twice.
    listening.set_inheritable(False)
    listening.setblocking(False)
    if listening.family != socket.AF_UNIX:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listening.listen(backlog)
    return listening
