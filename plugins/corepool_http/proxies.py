"""The client of a request: the peer, or the one that a trusted proxy forwards for (RFC 7239, X-Forwarded-*).

The tests have a table of what popular proxies send: tests/process/http/test_proxies.py.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

from corepool_http.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool import Connection
    from corepool_http.message import Request
    from corepool_http.options import Network

_PAIR = re.compile(r"""\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]*))\s*""")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]+)")
"""With a port, as Azure and RFC 7239 have it, or without: an address of IPv6 may then stand without brackets."""

_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
"""As the proxy's own connection is called; Traefik names the scheme of a WebSocket."""

_MAX_HOPS = 32
_MAPPED = IPv6Network("::ffff:0:0/96")


class Proxies:
    """The proxies that are trusted."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = [_unmapped(network) if isinstance(network, IPv6Network) else network for network in trusted]
        self.client_of: Callable[[Connection[Any]], Client] = self._judged if trusted else Client
        """Describes the two ends of a connection."""

    def _judged(self, conn: Connection[Any]) -> Client:
        client = Client(conn)
        client.is_trusted = self.trusts("unix" if client.server_port is None else client.host)
        return client

    def forwarded(self, client: Client, request: Request) -> Client:
        """Return the client on whose behalf `client`, a trusted proxy, has sent a request."""
        if b"forwarded" in request.section:
            hops = _forwarded(_joined(request, b"forwarded"))
        else:
            hops = [{"for": address} for address in _listed(request, b"x-forwarded-for")[-_MAX_HOPS:]] or [{}]
            for name, key in ((b"x-forwarded-proto", "proto"), (b"x-forwarded-host", "host")):
                # Each proxy adds to the end of the lists, or has replaced them: the last ones are of one proxy.
                for hop, value in zip(reversed(hops), reversed(_listed(request, name)), strict=False):
                    hop[key] = value
        # From the nearest hop outward, as long as each is trusted to tell the next.
        for hop in reversed(hops):
            if not client.is_trusted:
                break
            client = self._behind(client, hop, request)
        return client

    def _behind(self, client: Client, hop: dict[str, str], request: Request) -> Client:
        address = _split(hop.get("for", ""))
        host, port = address or (client.host, client.port)
        forwarded_host = hop.get("host", "")
        if forwarded_host and _HOST.fullmatch(forwarded_host):
            value = forwarded_host.encode()
            if value != request.section.single(b"host"):
                request.section = request.section.with_host(value)
        scheme = _SCHEMES.get(hop.get("proto", "").lower(), client.scheme)
        # Behind an address that is not told nothing is known of who tells the next.
        return client.behind(host, port, scheme, is_trusted=address is not None and self.trusts(host))

    def trusts(self, host: str) -> bool:
        """Return whether an address, or "unix", is a trusted proxy's."""
        if "*" in self._trusted or host == "unix":
            return "*" in self._trusted or "unix" in self._trusted
        try:
            address = ip_address(host)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # a client of IPv4, at a socket of both
        return any(not isinstance(network, str) and address in network for network in self._trusted)


def _unmapped(network: IPv6Network) -> IPv4Network | IPv6Network:
    if not network.subnet_of(_MAPPED):
        return network
    return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - _MAPPED.prefixlen))


def _joined(request: Request, name: bytes) -> str:
    return (request.section.joined(name) or b"").decode("latin-1")


def _listed(request: Request, name: bytes) -> list[str]:
    # These lists have no quotes: a client must not be able to open one that hides what a proxy adds.
    return [value for part in _joined(request, name).split(",") if (value := part.strip())]


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
        name = pair[1].lower()
        if name in hops[-1]:
            return [{}]
        hops[-1][name] = re.sub(r"\\(.)", r"\1", pair[2]) if pair[2] is not None else pair[3]
        at = pair.end()
    return hops[-_MAX_HOPS:]


def _split(text: str) -> tuple[str, int] | None:
    """Split an address with or without a port; None when there is none (unknown, _hidden)."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    port = int(found[3] or 0)
    try:
        address = ip_address(found[1] or found[2] or found[4])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return (str(address), port) if port < 65_536 else None
