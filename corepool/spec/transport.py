"""The contract of a transport: where to listen, and the layers of its connections."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from corepool.spec.types import Address

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence

    from corepool.spec.certificates import ServerCertificate
    from corepool.spec.layer import Layer

MAX_STATE_BYTES = 16 * 1024 * 1024
"""Of what `Transport.refresh` returns: 2,000 certificates with their chains and keys."""

_BEHIND_PORT = re.compile(r"((?:\[[^\[\]/?#]*\]|[^\[\]:/?#@]*):[0-9]+)([/?#].*)", re.DOTALL)
"""An address without a scheme, and a path behind its port, as a URL has one."""

_DROPPED = re.compile("[\t\r\n]")


@dataclass(frozen=True, slots=True)
class FileRights:
    """Owner and permissions of socket files, as [process] says.

    `uid` and `gid` are for chown(2): -1 changes nothing. `umask` is None where none was configured: then files are
    made for their owner alone, whatever umask the pool happened to be started with.
    """

    uid: int = -1
    gid: int = -1
    umask: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to listen, as written in the configuration: a URL, taken apart.

    `tcp://[::1]:80` has host "::1" and port 80; `unix:///run/x.sock?mode=0660` has the path
    "/run/x.sock"; `unix:@name` has the path "@name".
    """

    url: str
    scheme: str
    host: str = ""
    port: int | None = None
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    rights: FileRights = FileRights()

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Take `url` apart.

        :raises ValueError: it is not a URL of the form scheme://...; says why in words.
        """
        if _DROPPED.search(url):  # by urlsplit: another address than the one that was written
            raise ValueError("it contains a line break or a tab; in a path, write %0A, %0D or %09")
        if (found := _BEHIND_PORT.fullmatch(url)) is not None:
            raise ValueError(f"an address ends with its port; without {found[2]!r}: {found[1]}")
        parts = urlsplit(url)
        if not parts.scheme or ":" not in url:
            raise ValueError(
                "not a URL; expected scheme://..., such as tcp://127.0.0.1:8000, or HOST:PORT, such as [::1]:8000"
            )
        if parts.netloc.count(":") > 1 and "[" not in parts.netloc:
            raise ValueError("an IPv6 address is written in brackets, such as tcp://[::1]:8000")
        if parts.username is not None or parts.fragment:
            raise ValueError("user names and #fragments have no meaning here")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port is not a number from 0 to 65535") from None
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        query = dict(pairs)
        if len(query) != len(pairs):
            raise ValueError("an option is given twice in the part after '?'")
        host, zone, interface = (parts.hostname or "").partition("%")
        if zone:  # fe80::1%25eth0 (RFC 6874), or as people write it, fe80::1%eth0
            encoded = len(interface) > 2 and interface.startswith("25")
            host = f"{host}%{unquote(interface[2:] if encoded else interface)}"
        path = unquote(parts.path, errors="surrogateescape")  # any bytes, as os.fsdecode has them
        return cls(url, parts.scheme, host, port, path, query)


class Transport(ABC):
    """A transport. One instance per bound URL; `Options`, if there are any, are the URL's ?query."""

    api_version: ClassVar[int] = 1

    outlives: ClassVar[bool] = False
    """Its listening sockets belong to another process, and outlive the pool: clients that wait in their backlogs when
    the pool stops are left to the next server."""

    @abstractmethod
    def check(self, endpoint: Endpoint) -> None:
        """Refuse an endpoint that can never work, without touching the system.

        Runs in: the command line and the master, before anything is bound.
        :raises ValueError: with the mistake in words.
        """

    def examine(self, endpoint: Endpoint) -> None:  # noqa: B027  # few know anything before they bind
        """Refuse an endpoint on which `listen` would fail on this system: a folder that is missing, say.

        So that `corepool check` says so, and `run` together with all other mistakes. Leave nothing open or on disk. An
        address that is in use is none of them: it is mostly the running pool that uses it. Runs in: the command line
        and the master, at a start before anything is bound; not at a reload.

        :raises OSError: as `listen` would.
        """

    @abstractmethod
    def listen(self, endpoint: Endpoint, backlog: int) -> socket.socket:
        """Bind and listen.

        Runs in: master, at start. Options that accepted sockets inherit (TCP_NODELAY) are set here: one
        call instead of one per connection.
        Ownership: the caller owns the socket; if this raises, nothing is left open or on disk.

        :param backlog: how many connections the kernel may queue.
        :raises OSError: as the system said; the master adds the listener's name and the URL.
        """

    @abstractmethod
    def url(self, endpoint: Endpoint, listening: socket.socket) -> str:
        """Return the URL as bound: the real port, not 0."""

    def address(self, sockaddr: object) -> Address:
        """Make an `Address` of the result of accept(2), getpeername(2) or getsockname(2).

        To be overridden for address families that `Address.of_sockaddr` does not know.
        """
        return Address.of_sockaddr(sockaddr)

    def layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        """Make the layers of a new connection, such as TLS, the first nearest to the wire.

        Connections can't move to another worker then (docs/moving.md), nor outlive a crash of their worker
        (`keep_on_crash`): the layers keep their state in this one. Runs in: worker, once per connection, if it is
        overridden.

        :param peer: the client's address.
        :raises BaseException: closes the connection, and is logged.
        """
        return ()

    def tls_layers(self, peer: Address) -> Sequence[Layer]:  # noqa: ARG002
        """Make the layers that `conn.start_tls()`, called without a context, puts on a connection.

        For transports that know certificates, and whose connections begin in the clear. Runs in: worker, once per call.

        :param peer: the client's address.
        :returns: nothing, if there are no certificates: then the call raises RuntimeError.
        """
        return ()

    @property
    def has_layers(self) -> bool:
        """Whether connections have layers: `layers` is overridden."""
        return type(self).layers is not Transport.layers

    @property
    def takes_plain(self) -> bool:
        """Whether it has clients without layers as well: `matches` tells which."""
        return False

    def matches(self, data: bytes) -> bool | None:  # noqa: ARG002
        """Return whether a connection that begins with these bytes has layers; None: more are needed to tell.

        Called if the transport `takes_plain`. The bytes stay to be received. Runs in: worker.

        :param data: at least one byte, 1024 at most.
        """
        return True

    @property
    def encrypts(self) -> bool:
        """Whether clients have to speak TLS from the first byte: commands that try a listener do."""
        return False

    def offer(self, alpn: Sequence[str]) -> None:  # noqa: B027  # few agree on a protocol
        """Agree with clients on one of these protocols (ALPN, RFC 7301), if the URL says nothing else.

        :param alpn: the names that the listener's protocols have, the best first; empty: they have none. Runs in: the
            command line and the master, before `refresh`: at a start, and at each reload; again with those of before,
            if it fails.
        """

    def relisten(self, listening: socket.socket, backlog: int) -> None:
        """Go on listening on a socket that is listening already: after a reload or an upgrade.

        Runs in: master.
        :raises OSError: as the system said.
        """
        listening.listen(backlog)

    def takes_over(self, endpoint: Endpoint, before: Endpoint) -> bool:  # noqa: ARG002
        """Return whether a socket bound for `before` can serve `endpoint`: the same address, but another ?query.

        If so, `adopt` is called once the new configuration takes effect. If not, `listen` is tried, which usually fails
        while another socket has the address: then the pool has to be restarted. Runs in: master, at a reload or an
        upgrade.
        """
        return False

    def refresh(self, endpoint: Endpoint) -> bytes | None:  # noqa: ARG002
        """Read the files that `endpoint` names, such as keys and certificates, and serve with them from now on.

        Workers that are forked later serve as this instance does. Running ones are sent what it returns (`refreshed`),
        in memory that is never on a disk. No connection is closed, and no worker is replaced. A file may be half
        written: then it is a mistake, and read again some seconds later.

        Runs in: the master, as root if that was started so: before it listens, every ten seconds, at SIGHUP, `corepool
        reload` and `corepool renew`; and in `corepool check`. Must not block for long: to find that nothing has changed
        should take a stat(2) of each file.

        :returns: the state that `refreshed` takes, at most `MAX_STATE_BYTES`; None: nothing has changed since the call
            before, or there are no such files.
        :raises OSError: a file can't be read; `filename` says which.
        :raises ValueError: a file has mistakes; says in words which. After any exception this instance serves as before
            the call. At a start or a reload it is a mistake in the configuration.
        """
        return None

    def refreshed(self, state: bytes) -> None:  # noqa: B027  # few have any state
        """Serve connections that begin from now on with the state that `refresh` has returned in the master.

        May be called with the same state twice. Runs in: worker, as its user. Must not block.

        :raises BaseException: is logged, and told in `corepool status`; the worker serves as before.
        """

    @property
    def not_renewed(self) -> Sequence[str]:
        """The mistakes in some files, in words, where the last `refresh` has read the others nevertheless.

        For transports with many certificates: one that is broken must not keep the others from being renewed. It is
        told in `corepool status`; at a start or a reload it is a mistake in the configuration. Runs in: the master.
        """
        return ()

    def certificates(self) -> Sequence[ServerCertificate]:
        """Return the certificates that connections are served with, as the last `refresh` has read them.

        Runs in: the master, and `corepool check`; each time that the status is asked for.
        """
        return ()

    def adopt(self, endpoint: Endpoint, listening: socket.socket) -> None:  # noqa: B027  # few have anything to note
        """Take over a socket that another master or another instance has bound.

        Prepare it as `listen` would have, and remember the same things for `close`, such as a file
        to remove. Until then `close` must leave that alone: the other still serves. Runs in: the master, after an
        upgrade has succeeded, or a reload with another ?query (`takes_over`).
        """

    def close(self, endpoint: Endpoint, listening: socket.socket) -> None:  # noqa: ARG002
        """Stop listening and remove what `listen` left on disk, if it is still ours.

        Runs in: master, once, at stop. Must not raise.
        """
        listening.close()
