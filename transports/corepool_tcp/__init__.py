"""The tcp transport: `tcp://host:port`, IPv4 and IPv6.

`tcp://127.0.0.1:8000`, `tcp://[::1]:0` (a free port), `tcp://localhost:80` (the first address that the
name has), `tcp://*:80` and `tcp://:80` (every IPv4 address). An IPv6 socket takes IPv6 alone, so that
`tcp://0.0.0.0:80` and `tcp://[::]:80` can stand side by side.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from corepool import Transport

if TYPE_CHECKING:
    from corepool import Endpoint

# Clearer words for errors of bind(2), where the system's own leave the operator guessing.
_REASONS = {
    errno.EADDRINUSE: "the address is in use; another server listens there (port 0 takes a free port)",
    errno.EACCES: "permission denied; ports below 1024 need privileges",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


class Tcp(Transport):
    """Listen on a TCP port. Connections are the plain sockets."""

    def check(self, endpoint: Endpoint) -> None:
        """Refuse a URL without a port, or with a path."""
        if endpoint.port is None:
            raise ValueError("a port is missing; expected tcp://host:port, port 0 for a free one")
        if endpoint.path:
            raise ValueError(f"a path ({endpoint.path!r}) has no meaning for tcp; expected tcp://host:port")
        try:
            endpoint.host.encode("idna")  # as getaddrinfo does
        except UnicodeError as error:
            raise ValueError(f"the host {endpoint.host!r} can't be a name: {error}") from None

    def examine(self, endpoint: Endpoint) -> None:
        """Bind for a moment, without listening: other servers can bind the same address meanwhile."""
        try:
            self._bound(endpoint).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Bind to the first address of the host. A name may ask the resolver, which may take seconds."""
        listening = self._bound(endpoint)
        try:
            listening.listen(backlog)
        except BaseException:
            listening.close()
            raise
        return listening

    def _bound(self, endpoint: Endpoint) -> socket.socket:
        host = "0.0.0.0" if endpoint.host in ("", "*") else endpoint.host
        try:
            found = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise OSError(error.errno, f"can't resolve the host {host!r}: {error.strerror}") from error
        family, kind, proto, _, address = found[0]
        listening = socket.socket(family, kind, proto)
        try:
            # A restart must not wait out the TIME_WAIT of old connections. (On Linux no process can
            # take a port this way while another listens on it.)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # On Linux accepted sockets inherit these two: one call each instead of one per connection.
            # Without TCP_NODELAY an answer in two pieces waits 40 ms for the peer's delayed ACK; with
            # SO_KEEPALIVE a peer that vanished without a word is noticed at last.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            listening.setblocking(False)
            _bind(listening, address)
        except BaseException:
            listening.close()
            raise
        return listening

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:  # noqa: ARG002
        """Return the URL of the bound address and port."""
        return self.address(listening.getsockname()).url


def _bind(listening: socket.socket, address: tuple[object, ...]) -> None:
    try:
        listening.bind(address)
    except OSError as error:
        if error.errno in _REASONS:
            raise OSError(error.errno, _REASONS[error.errno]) from error
        raise
