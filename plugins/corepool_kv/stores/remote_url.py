"""The URL of a store on a server of Redis's protocol. Does no I/O, but for `tls_context`.

    redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]      rediss://... (TLS)
    unix://[[USER]:PASSWORD@]/PATH[?db=DATABASE]          cluster://[[USER]:PASSWORD@]HOST[:PORT],HOST[:PORT],...

The schemes and the places of their parts are those of redis-py (redis.connection.parse_url).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix", "cluster")
_QUERIES = {
    "redis": (),
    "rediss": ("ca", "cert", "key"),
    "unix": ("db",),
    "cluster": ("tls", "ca", "cert", "key"),
}
_PORT = 6379
_MAX_DATABASE = 1_000_000


class Server(NamedTuple):
    """Where a server listens."""

    host: str
    """A path if it is a UNIX socket."""
    port: int
    """0: it is one."""

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """What a URL says."""

    scheme: str
    servers: tuple[Server, ...]
    """One; of a cluster, those that are asked for the others."""
    user: str = ""
    password: str = field(default="", repr=False)
    database: int | None = None
    """None: clients select one."""
    tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""

    @property
    def is_cluster(self) -> bool:
        """Whether keys are spread over several servers."""
        return self.scheme == "cluster"

    def __str__(self) -> str:
        """Return it without user, password and query."""
        if self.scheme == "unix":
            return f"unix://{self.servers[0].host}"
        database = "" if self.database is None else f"/{self.database}"
        return f"{self.scheme}://{','.join(map(str, self.servers))}{database}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS needs: the server's certificate has to be one of `ca`, or of an authority of the system.

        :raises ValueError: a file can't be used.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise ValueError(f"its certificates can't be used: {reason}") from None
        return context


def is_remote(text: str) -> bool:
    """Return whether a store's name is a URL of a server."""
    return text.partition(":")[0] in SCHEMES


def parse_remote_url(text: str) -> RemoteUrl:
    """Parse a URL.

    :raises ValueError: it is none, in words that do not tell its password.
    """
    scheme, _, rest = text.partition(":")
    if not rest.startswith("//"):
        raise ValueError(f"expected {scheme}://, with two slashes")
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if parts.fragment:
        raise ValueError("has a '#', which belongs to no URL of a store; in a password it is written %23")
    if "@" in parts.path + parts.query:
        # Else a part of the password would be taken for something that messages quote.
        raise ValueError("has a character in its password that ends it in a URL: write / as %2F, ? as %3F")
    query = _query(scheme, parts.query)
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    tls = scheme == "rediss" or _boolean(query.get("tls", "false"))
    url = RemoteUrl(
        scheme=scheme,
        servers=_servers(scheme, hosts, parts.path),
        user=unquote(user),
        password=unquote(password),
        database=_database(scheme, parts.path, query),
        tls=tls,
        ca=query.get("ca", ""),
        cert=query.get("cert", ""),
        key=query.get("key", ""),
    )
    if url.user and not url.password:
        raise ValueError("has a user without a password; a password alone is written :PASSWORD@")
    if not tls and (url.ca or url.cert or url.key):
        raise ValueError("has certificates without tls=true")
    url.tls_context()
    return url


def _query(scheme: str, text: str) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True))
    for name in query:
        if name not in _QUERIES[scheme]:
            known = ", ".join(_QUERIES[scheme]) or "nothing"
            raise ValueError(f"has {name!r} behind its '?'; {scheme}:// knows {known} there")
    return query


def _servers(scheme: str, hosts: str, path: str) -> tuple[Server, ...]:
    if scheme == "unix":
        if hosts:
            raise ValueError("expected unix:///PATH, with three slashes")
        if path in ("", "/"):
            raise ValueError("expected the path of a socket")
        return (Server(unquote(path), 0),)
    names = hosts.split(",")
    if len(names) > 1 and scheme != "cluster":
        raise ValueError("has several servers; those of a cluster are written cluster://HOST:PORT,HOST:PORT")
    return tuple(_server(name) for name in names)


def _server(text: str) -> Server:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise ValueError("expected HOST:PORT")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ValueError("has a port that is no number from 1 to 65535")
    return Server(host, int(port))


def _database(scheme: str, path: str, query: dict[str, str]) -> int | None:
    text = query.get("db") if scheme == "unix" else path.removeprefix("/") or None
    if text is None:
        return None
    if scheme == "cluster":
        raise ValueError("has a database; a cluster has none but 0")
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_DATABASE:
        raise ValueError(f"has the database {text!r}; expected a number")
    return int(text)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"has tls={text}; expected true or false")
    return text == "true"
