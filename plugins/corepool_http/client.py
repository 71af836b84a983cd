"""The two ends of a request's connection, as applications are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from corepool import Connection, Facts, ProxyHeader


class Client:
    """The peer of a connection, or the one that a trusted proxy forwards for; and our own end."""

    __slots__ = (
        "host",
        "is_trusted",
        "listener",
        "port",
        "prepared",
        "proxy_header",
        "scheme",
        "server_host",
        "server_port",
        "tls",
        "tls_prepared",
    )

    def __init__(self, conn: Connection[Any]) -> None:
        """Describe the ends of `conn`."""
        peer, local, facts = conn.peer, conn.local, conn.facts
        is_unix = local.port is None
        self.host = "" if is_unix else peer.host
        self.port = peer.port or 0
        self.server_host = local.host
        self.server_port = local.port
        self.scheme = "http"
        self.is_trusted = False
        """It is a proxy that may name another client."""
        self.listener = conn.listener
        self.tls: Facts | None = None
        """The facts of its connection, if that is encrypted; None where a trusted proxy forwards for it."""
        self.proxy_header: ProxyHeader | None = None
        """Of its connection: it stays, also when a request is forwarded for another client."""
        self.prepared: dict[str, Any] | None = None
        """The application's view of both ends, for the next request of the same connection."""
        self.tls_prepared: dict[str, object] | None = None
        """Its view of TLS, likewise."""
        if facts:
            self._take(cast("Facts", facts))

    def _take(self, facts: Facts) -> None:
        header = self.proxy_header = facts.get("proxy")
        if header is not None and header.tls is not None:  # the facts of TLS are the proxy's
            self.scheme = "https"
        elif "tls" in facts:
            self.scheme, self.tls = "https", facts

    @property
    def server_name(self) -> tuple[str, str]:
        """Return the name and port of this end; a UNIX socket has neither."""
        return ("localhost", "80") if self.server_port is None else (self.server_host, decimal(self.server_port))

    def behind(self, host: str, port: int, scheme: str, *, is_trusted: bool) -> Client:
        """Return the client that this one, a trusted proxy, has named."""
        client = Client.__new__(Client)
        client.host, client.port, client.scheme, client.is_trusted = host, port, scheme, is_trusted
        client.server_host, client.server_port = self.server_host, self.server_port
        client.listener, client.proxy_header = self.listener, self.proxy_header
        client.tls = client.prepared = client.tls_prepared = None
        return client


def decimal(port: int) -> str:
    """Spell a port. Where it is compiled, four times as fast as `str`, which does not know how short it is."""
    return f"{port}"
