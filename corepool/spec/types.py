"""Facts that hooks are given: small values, whose methods never reach into the pool."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""For the addresses that mean every address of the machine."""


def _escape(character: str) -> str:
    """Percent-encode a character that would end a path, or could not be printed (RFC 3986, 2.1)."""
    if character.isprintable() and character not in ' "%?#':
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogateescape"))


class Address(NamedTuple):
    """One end of a connection. `port` is None where the address family has none (UNIX sockets)."""

    host: str
    port: int | None = None

    @classmethod
    def of_sockaddr(cls, sockaddr: object) -> Address:
        """Return the address that accept(2), getpeername(2) or getsockname(2) gave, as `socket` has it.

        A pair of host and port, with two more fields for IPv6; or the path of a UNIX socket, `@name` for an abstract
        one (it begins with a zero byte), `unix` for one without a name. `unknown`: it is none of these, as None.
        """
        # Not by `match`: this is done once per connection, and class patterns cost more than all the rest of it.
        if isinstance(sockaddr, tuple):
            host, port = sockaddr[:2] if len(sockaddr) >= 2 else (None, None)
            return cls(host, port) if isinstance(host, str) and isinstance(port, int) else cls("unknown")
        if not isinstance(sockaddr, str | bytes):
            return cls("unknown")
        if isinstance(sockaddr, bytes) and sockaddr.startswith(b"\0"):
            return cls("@" + os.fsdecode(sockaddr[1:]))
        return cls(os.fsdecode(sockaddr) or "unix")

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The address as URLs have it after `//`: `192.0.2.1:80`, `[::1]:80`, `[fe80::1%25eth0]:80` (RFC 6874)."""
        return str(self).replace("%", "%25", 1) if ":" in self.host else str(self)

    @property
    def url(self) -> str:
        """The URL that a transport such as tcp or unix has for it, and that `Endpoint.parse` takes apart again."""
        if self.port is not None:
            return f"tcp://{self.authority}"
        path = "".join(map(_escape, self.host))
        return f"unix:{path}" if path.startswith("@") else f"unix://{path}"

    @property
    def is_every_address(self) -> bool:
        """Whether a server that listens here listens on every address of the machine."""
        return self.port is not None and self.host in _LOOPBACKS

    @property
    def nearby(self) -> Address:
        """The address by which a client on the same machine reaches a server that listens on this one."""
        return self._replace(host=_LOOPBACKS.get(self.host, self.host))


class CloseReason(StrEnum):
    """Why a connection ended, as `on_close` is told."""

    EOF = "eof"  #: the peer ended its side and everything was sent
    CLOSED = "closed"  #: the protocol closed it
    ABORTED = "aborted"  #: the protocol dropped it, and its buffered output
    REFUSED = "refused"  #: an extension closed it before the protocol saw it
    RESET = "reset"  #: the network or the peer broke it
    TIMEOUT = "timeout"  #: a deadline passed
    OVERFLOW = "overflow"  #: more output was buffered than `output_limit` allows
    ERROR = "error"  #: a hook raised
    DRAIN = "drain"  #: the worker is leaving
    LAYER = "layer"  #: a layer, such as TLS, has met bytes that it does not accept
    UNMATCHED = "unmatched"  #: no protocol of a listener with several matches its first bytes
    MOVED = "moved"  #: it goes on in another worker: neither side has closed it


class TimeoutKind(StrEnum):
    """Which deadline passed, as `on_timeout` is told."""

    IDLE = "idle"  #: nothing was received or sent for the listener's `idle_timeout`
    READ = "read"  #: the deadline that the protocol set with `conn.deadline()`
    WRITE = "write"  #: the peer took none of the buffered output for the listener's `write_timeout`


class ExitCause(StrEnum):
    """Why a worker process ended, as the log, the counters and `on_child_exit` name it."""

    BOOT_FAILURE = "boot failure"  #: it ended before it was ready
    CRASH = "crash"  #: it ended by itself after it was ready
    OUT_OF_MEMORY = "out of memory"  #: the kernel has killed it, as its control group says
    HUNG = "hung"  #: its loop did not turn for `heartbeat_timeout`, or it was not ready within `boot_timeout`
    SCALED_DOWN = "scaled down"  #: asked to leave: one worker fewer
    STOPPED = "stopped"  #: asked to leave: the pool stops
    REPLACED = "replaced"  #: asked to leave: at a reload, its replacement took over
    RECYCLED = "recycled"  #: asked to leave: it had served long enough, or held too much memory
    MEMORY = "too much memory"  #: killed: it held more than `recycle_memory_hard`
    ASKED = "asked"  #: drained by `corepool drain`, or by a TERM that was sent to the worker itself


@dataclass(frozen=True, slots=True)
class PoolInfo:
    """The pool, for hooks in the master.

    `workers_uid` and `workers_gid` have to own the files that a hook makes for workers: as chown(2) takes them, -1
    where workers run as the master does. `name` is its name in `status`.
    """

    pid: int
    version: str
    workers: int
    bind: tuple[str, ...]
    workers_uid: int = -1
    workers_gid: int = -1
    name: str = "main"


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process. `slot` is its stable place, 0..n-1; `generation` counts reloads."""

    slot: int
    pid: int
    generation: int
    uptime_s: float


class WorkerLoad(NamedTuple):
    """The present load of a worker process, and its counts since it started."""

    slot: int
    pid: int
    connections: int
    accepted: int
    requests: int
    lag_s: float


@dataclass(slots=True)
class ThreadGauge:
    """How busy a plugin's threads are. The plugin sets it, in the loop's thread; status shows it a second later."""

    most: int
    busy: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ListenerInfo:
    """A listener as configured, with its addresses as bound."""

    name: str
    protocol: str
    bind: tuple[str, ...]
    examples: tuple[str, ...] = ()
    """Commands for a shell on this machine that try it: the protocol's `try_it`, one for each address with a port."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a worker process ended: `code` or `signum`, the other is None."""

    cause: ExitCause
    code: int | None = None
    signum: int | None = None

    def __str__(self) -> str:
        if self.signum is None:
            return f"exit status {self.code}"
        try:
            return signal.Signals(self.signum).name
        except ValueError:  # a real-time signal has no name
            return f"signal {self.signum}"


class SharedResource(NamedTuple):
    """A resource that several listeners may use together, such as a store of data.

    It is one of the `shares` of a protocol or an extension.

    `corepool check` reports listeners that share one and contradict each other.
    """

    identity: str
    """Equal for two listeners that use the same resource."""

    name: str
    """Its name as the configuration has it."""

    settings: Mapping[str, str]
    """The options that all its listeners have to agree in: their names, and their values as people write them."""
