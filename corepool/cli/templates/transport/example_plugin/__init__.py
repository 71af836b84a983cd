"""The transport example-plugin: TCP that notices vanished clients as soon as you like.

`example-plugin://127.0.0.1:7000?quiet=30&probes=3`
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import corepool
from corepool import Transport
from pydantic import Field

if TYPE_CHECKING:
    from corepool import Endpoint


class ExamplePlugin(Transport):
    """Listen on a TCP port, and have the kernel ask clients that are quiet whether they are still there.

    One instance per URL. All of it runs in the master; what accepted sockets inherit from the listening one is set in
    `listen`, once. Where bytes have to be changed on their way, as by TLS: override `layers`.
    """

    class Options(corepool.Options):
        """The keys after the ? of the URL; `corepool check` reports mistakes in them."""

        quiet: Annotated[int, Field(gt=0, le=32_767)] = 60
        """Seconds without a byte after which a client is asked."""

        probes: Annotated[int, Field(gt=0, le=127)] = 3
        """Questions without an answer, a second apart, after which it is gone."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def check(self, endpoint: Endpoint) -> None:
        """Refuse a URL that can't be listened on."""
        if not endpoint.host or endpoint.port is None:
            good = f"{endpoint.scheme}://127.0.0.1:7000"
            raise ValueError(f"host or port is missing; expected {good} (port 0: a free one)")
        if endpoint.path:
            raise ValueError(f"a path ({endpoint.path!r}) has no meaning here")

    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Bind and listen; if that fails nothing is left open."""
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, address = found[0]
        listening = socket.socket(family, kind, proto)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self._options.quiet)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, self._options.probes)
            listening.setblocking(False)
            listening.bind(address)
            listening.listen(backlog)
        except BaseException:
            listening.close()
            raise
        return listening

    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:
        """Return the URL with the bound port."""
        return f"{endpoint.scheme}://{self.address(listening.getsockname())}"
