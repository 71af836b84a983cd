"""The transports fd and systemd: listening sockets that another process has bound.

`fd://3` is a descriptor that was inherited by its number. `systemd://web` is the socket to which a socket unit
gives that name (`FileDescriptorName=web`); `systemd://` is the only one there is. Both are TCP or UNIX, as they come,
with the backlog they come with.
"""

from corepool_fd.transport import Fd, Systemd

__all__ = ["Fd", "Systemd"]
