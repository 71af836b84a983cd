"""The addresses of the connections of one bound socket, asked of the kernel when they are wanted."""

from __future__ import annotations

from socket import AF_INET
from typing import TYPE_CHECKING

from corepool.guards import HOOK_ERRORS
from corepool.hot.sockets import ipv4_sockaddr, sockaddr
from corepool.spec.transport import Transport
from corepool.spec.types import Address
from corepool.worker import events

if TYPE_CHECKING:
    from corepool.logs.rate_limited import RateLimitedLog
    from corepool.plugins.listener import BoundSocket

_WILDCARDS = frozenset({"0.0.0.0", "::"})


class Addresses:
    """As the transport spells them."""

    def __init__(self, bound: BoundSocket, log: RateLimitedLog) -> None:
        self._name = bound.listener.name
        self._family = bound.socket.family
        self._of_sockaddr = bound.transport.address
        self._is_pair = bound.socket.family == AF_INET and type(bound.transport).address is Transport.address
        """A host and a port are all that an address has."""
        # Saves two system calls per connection, where a socket is not bound to every address of the machine.
        self._local = None if bound.address.host in _WILDCARDS else bound.address
        self._log = log

    def of(self, fd: int, peer: bool) -> Address:  # noqa: FBT001  # in C there are no keywords
        """Return an address of a connection; that of the peer is Address("unknown") once it is gone."""
        if not peer and self._local is not None:
            return self._local
        if fd < 0:
            return Address("unknown")
        try:
            if self._is_pair:
                found = ipv4_sockaddr(fd, peer)
                if found is not None:
                    return tuple.__new__(Address, found)  # as Address(host, port), which is a function in Python
            return self._of_sockaddr(sockaddr(fd, self._family, peer))
        except OSError:
            return Address("unknown")
        except HOOK_ERRORS as error:  # of a transport: an address is asked for in log lines, where nothing may fail
            events.address_failed.exception(self._log, error, listener=self._name)
            return Address("unknown")
