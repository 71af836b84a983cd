"""Who the client is: the peer, or the one that a trusted proxy says it forwards for (RFC 7239, X-Forwarded-*)."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Connection
    from corepool_http.options import Network
    from corepool_http.requests import Request

_PAIR = re.compile(r"""\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]*))\s*""")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]+)?")
_MOST_HOPS = 32


class Client(NamedTuple):
    """The other end, as applications are told."""

    host: str
    port: int
    server_host: str
    server_port: int | None
    scheme: str
    is_trusted: bool
    proxies: Proxies

    @property
    def server_name(self) -> tuple[str, str]:
        """Give the name and port of this end; a UNIX socket has neither."""
        return ("localhost", "80") if self.server_port is None else (self.server_host, str(self.server_port))

    def forwarding(self, request: Request) -> Client:
        """Give the client on whose behalf this trusted proxy has sent a request."""
        if b"forwarded" in request.section:
            hops = _forwarded(_joined(request, b"forwarded"))
        else:
            addresses = [part.strip() for part in _joined(request, b"x-forwarded-for").split(",") if part.strip()]
            hops = [{"for": address} for address in addresses[-_MOST_HOPS:]] or [{}]
            last = hops[-1]
            for name, key in ((b"x-forwarded-proto", "proto"), (b"x-forwarded-host", "host")):
                value = _joined(request, name).rpartition(",")[2].strip()
                if value:
                    last[key] = value
        client = self
        # From the nearest hop outward, as long as each is trusted to tell the next.
        for hop in reversed(hops):
            if not client.is_trusted:
                break
            client = client._behind(hop, request)
        return client

    def _behind(self, hop: dict[str, str], request: Request) -> Client:
        host, port = _split(hop.get("for", "")) or (self.host, self.port)
        scheme = hop.get("proto", "").lower()
        forwarded_host = hop.get("host", "")
        if forwarded_host and _HOST.fullmatch(forwarded_host):
            request.section = request.section.with_host(forwarded_host.encode())
        return self._replace(
            host=host,
            port=port,
            scheme=scheme if scheme in {"http", "https"} else self.scheme,
            is_trusted="for" in hop and self.proxies.trusts(host),
        )


class Proxies:
    """The proxies that are trusted."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted

    def client_of(self, conn: Connection[Any]) -> Client:
        """Describe the two ends of a connection."""
        peer, local = conn.peer, conn.local
        is_unix = local.port is None
        return Client(
            host="" if is_unix else peer.host,
            port=peer.port or 0,
            server_host=local.host,
            server_port=local.port,
            scheme="http",
            is_trusted=bool(self._trusted) and self.trusts("unix" if is_unix else peer.host),
            proxies=self,
        )

    def trusts(self, host: str) -> bool:
        """Tell whether an address, or "unix", is a trusted proxy's."""
        if "*" in self._trusted or host == "unix":
            return "*" in self._trusted or "unix" in self._trusted
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(not isinstance(network, str) and address in network for network in self._trusted)


def _joined(request: Request, name: bytes) -> str:
    return (request.section.joined(name) or b"").decode("latin-1")


def _forwarded(text: str) -> list[dict[str, str]]:
    hops: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        if text[at] in ",;":
            if text[at] == ",":
                hops.append({})
            at += 1
            continue
        pair = _PAIR.match(text, at)
        if pair is None or pair.end() == at:
            return [{}]  # what can't be read is not believed
        value = re.sub(r"\\(.)", r"\1", pair[2]) if pair[2] is not None else pair[3]
        hops[-1][pair[1].lower()] = value
        at = pair.end()
    return hops[-_MOST_HOPS:]


def _split(text: str) -> tuple[str, int] | None:
    """Split an address with or without a port; None when there is none (unknown, _hidden)."""
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return str(ip_address(host)), int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    except ValueError:
        return None
