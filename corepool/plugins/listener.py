"""A configured listener at run time: its plugins, and the sockets it is bound to.

Made in the master before the first fork; workers inherit it and use the parts that are theirs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.plugins import events

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from pydantic import BaseModel

    from corepool.config.settings import ListenerSettings, PoolSettings
    from corepool.ipc.scoreboard import ListenerPlace
    from corepool.ipc.shapes import SocketIndex
    from corepool.plugins.chain import Chain
    from corepool.plugins.renewal import Renewal
    from corepool.spec.dispatcher import Dispatcher
    from corepool.spec.metrics import Metric
    from corepool.spec.scaler import Scaler
    from corepool.spec.transport import Endpoint, Transport
    from corepool.spec.types import Address
    from corepool.system.identity import Identity

log = logging.getLogger(__name__)

MAX_LISTENERS = 64
"""As many as a configuration may have; the scoreboard has a pair of counters for each."""


@dataclass(frozen=True, slots=True)
class Served:
    """A protocol of a listener: its name, and the hooks of its connections."""

    name: str
    protocol: object
    chain: Chain
    place: ListenerPlace
    """That of its counters on the scoreboard: the listener's, if it has no other protocol."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the protocol's own."""
        return tuple(getattr(self.protocol, "metrics", ()))

    @property
    def example(self) -> str:
        """A shell command that tries it, with places for host and port; empty if it has none."""
        return str(getattr(self.protocol, "try_it", ""))


@dataclass(frozen=True, slots=True)
class Listener:
    """One [[listener]]: `place` is that of its counters on the scoreboard, `pool` its pool's in the configuration."""

    place: ListenerPlace
    pool: int
    settings: ListenerSettings
    dispatcher_name: str
    dispatcher: Dispatcher
    served: tuple[Served, ...]
    """Its protocols, in the order of the configuration."""
    made_with: tuple[BaseModel | None, ...]
    """The options of protocols and extensions, including values read from files."""
    extension_types: tuple[type, ...] = ()
    entrance: Chain | None = None
    """The hooks of connections that have no protocol yet; None: there is only one."""

    @property
    def name(self) -> str:
        """The name it has in the configuration."""
        return self.settings.name

    @property
    def protocol_names(self) -> str:
        """The name of its protocol; of several, with commas."""
        return ",".join(each.name for each in self.served)

    @property
    def alpn(self) -> tuple[str, ...]:
        """The names that its protocols have in ALPN (RFC 7301), those of the first one first."""
        return tuple(dict.fromkeys(name for each in self.served for name in getattr(each.protocol, "alpn", ())))

    def has(self, plugin: object) -> bool:
        """Return whether it is one of the protocols and extensions."""
        return any(plugin is each for chain in self.chains for each in chain.members)

    @property
    def chains(self) -> list[Chain]:
        """The chains of its hooks. A plugin's hooks of processes are in one of them."""
        entrance = [] if self.entrance is None else [self.entrance]
        return entrance + [each.chain for each in self.served]


@dataclass(frozen=True, slots=True)
class BoundSocket:
    """One listening socket. `url` and `address` are as bound.

    `index` is its number in messages: the socket keeps it over reloads, and no other has it meanwhile. `slot` is that
    of the one worker that serves it, if it is not for all of them.
    """

    index: SocketIndex
    listener: Listener
    endpoint: Endpoint
    transport: Transport
    socket: socket.socket
    url: str
    address: Address
    renewal: Renewal
    slot: int | None = None

    def is_accepted_by(self, slot: int) -> bool:
        """Return whether the worker in `slot` accepts from it by itself."""
        return self.listener.dispatcher.worker_accepts and self.slot in (None, slot)

    @property
    def examples(self) -> tuple[str, ...]:
        """Shell commands that try its protocols from this machine; none without a port."""
        if self.address.port is None:
            return ()
        examples = [each.example for each in self.listener.served if each.example]
        if self.transport.encrypts:
            examples = list(map(over_tls, examples))
        return tuple(fill_in(each, self.address.nearby) for each in examples)

    def close(self) -> None:
        """Stop listening; the master's business alone. Idempotent."""
        if self.socket.fileno() >= 0:
            try:
                self.transport.close(self.endpoint, self.socket)
            except HOOK_ERRORS as error:
                events.socket_not_cleaned_up.exception(log, error, url=self.url)
                release(self.socket.detach())


def over_tls(example: str) -> str:
    """Return an example for a listener with TLS. Its certificate is for other names than this machine's own address."""
    if "curl http://" in example:
        return example.replace("curl http://", "curl --insecure https://")
    if not example:
        return ""
    sent, pipe, _ = example.partition(" | ")
    return f"{sent}{pipe}openssl s_client -quiet -connect {{host}}:{{port}}" if pipe else _S_CLIENT


_S_CLIENT = "openssl s_client -quiet -connect {host}:{port}"


def fill_in(example: str, address: Address) -> str:
    """Fill an example in: "{host}:{port}" is part of a URL, and has brackets where the host has colons."""
    host, port = address
    return example.replace("{host}:{port}", address.authority).replace("{host}", host).replace("{port}", str(port))


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """The settings and listeners that workers of a pool are forked with: a reload makes another one."""

    pool: PoolSettings
    identity: Identity
    scaler: Scaler
    min_workers: int
    max_workers: int
    bound: tuple[BoundSocket, ...]

    @property
    def name(self) -> str:
        """The pool's name."""
        return self.pool.name or "main"

    def worker_name(self, slot: int) -> str:
        """Return a worker's name in the log: its slot, and the pool's name if it was given one."""
        return f"{slot}" if self.pool.name is None else f"{self.pool.name}/{slot}"

    @property
    def workers(self) -> int:
        """How many there are to begin with."""
        return self.min_workers

    @property
    def worker_range(self) -> tuple[int, int]:
        """The fewest workers and the most; the same twice, where nothing scales them."""
        return self.min_workers, self.max_workers

    def clamp(self, workers: int) -> int:
        """Return the number nearest to `workers` that it allows."""
        return min(max(workers, self.min_workers), self.max_workers)

    @property
    def has_address_per_worker(self) -> str | None:
        """The name of a listener that is bound once for each worker, if there is one: their number is then fixed."""
        return next((each.listener.name for each in self.bound if each.slot is not None), None)

    def has(self, plugin: object) -> bool:
        """Return whether it is one of the protocols and extensions."""
        return any(plugin is each for chain in self.chains for each in chain.members)

    @property
    def chains(self) -> list[Chain]:
        """The hook chains of the listeners."""
        listeners = {id(each.listener): each.listener for each in self.bound}
        return [chain for listener in listeners.values() for chain in listener.chains]

    @property
    def parts(self) -> set[ListenerPlace]:
        """The places of protocols of listeners that have several."""
        listeners = [each.listener for each in self.bound if each.listener.entrance is not None]
        return {served.place for listener in listeners for served in listener.served}

    def is_like(self, other: Configuration) -> bool:
        """Return whether workers of both serve alike, their application aside."""

        def say(each: Configuration) -> object:
            return (
                each.pool,
                each.identity,
                [
                    (bound.index, bound.transport, bound.listener.settings, bound.listener.made_with)
                    for bound in each.bound
                ],
            )

        return say(self) == say(other)


def sockets_of(configurations: Iterable[Configuration]) -> list[BoundSocket]:
    """List the bound sockets of several pools."""
    return [bound for each in configurations for bound in each.bound]


def without(sockets: Iterable[BoundSocket], *kept: Iterable[BoundSocket]) -> list[BoundSocket]:
    """List the bound sockets that are not among those that are kept."""
    known = {id(each.socket) for those in kept for each in those}
    return [each for each in sockets if id(each.socket) not in known]


@dataclass(frozen=True, slots=True)
class ListenerLine:
    """The facts for people about one bound socket."""

    name: str
    url: str
    protocol: str
    dispatcher: str
    try_it: str
