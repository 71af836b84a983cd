"""A site, and a connection as the parts of this room share it.

A site has what connections need of their listener, as plain fields that the hot path reads. A connection is at one site
at a time. One with layers begins at a site whose only hook opens them, and then *enters* the listener's (`entering`);
so does one with a PROXY header, and one whose first bytes are looked at before.

A connection is one record, `Held`, and several modules that each know one subject: `interest`, `sending`, `layered`,
`starting`, `dropping`, `ending`, `settling`, `timeouts`, `outside`, `beginning`, `entering`, `looking`, `proxied`,
`leaving`. They are functions, and import each other downward only: objects of their own for each connection would cost
memory, and a frame on the hot path.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from corepool.spec.connection import Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from corepool.hot.deadlines import Deadlines, Entry
    from corepool.hot.layers import Layers
    from corepool.hot.outbox import Outbox
    from corepool.hot.reactor import Reactor
    from corepool.hot.watching import Source
    from corepool.spec.layer import Layer
    from corepool.spec.proxy_header import ProxyHeader
    from corepool.spec.types import Address, CloseReason, TimeoutKind


MAX_SIZE = sys.maxsize
"""What a field of a connection can hold where it is compiled: more than any memory."""


class Journal(Protocol):
    """Where a connection that is to outlive a crash of its worker notes its progress."""

    crash_slot: int

    def wake(self) -> None:
        """Note that input may be read from now on."""

    def sends(self, conn: Held, length: int) -> None:
        """Note that output is about to be sent: a whole reply of `length`, or (0) a part of one."""

    def sent(self, count: int) -> None:
        """Note how much of it has left."""

    def rest(self, conn: Held) -> None:
        """Note that an event is over."""


class Held(Connection, Protocol):
    """A connection as its owner, and the parts that serve it, see it."""

    site: Site
    fd: int
    """-1 once it is gone."""
    entry: Entry | None
    """Its place among the deadlines."""
    journal: Journal | None
    layers: Layers | None
    header: ProxyHeader | None
    """Of the PROXY protocol; None: it has none."""
    eof: bool
    bytes_in: int
    bytes_out: int
    reads_left: int
    """Calls of recv that the event being served may still make, or NOT_SERVING."""
    paused: bool
    """`pause` was called."""
    drops_input: bool
    """Input that came after it was closed was dropped: its peer is still sending."""
    mask: int
    """The events that epoll watches for, or PARKED, NEW or GONE."""
    out: bytes | Outbox | Layers
    """One piece as it was sent, or an outbox once there is more, or a rest of it; NOTHING, an empty one, or layers."""
    high: int
    low: int
    was_congested: bool
    """`on_writable` is due when there is room, and nothing is read until then."""
    blocked_at: float
    """When the peer has last taken output, while some waits; or NEVER."""
    eof_due: bool
    """`send_eof` was called, and output is still on its way."""
    reason: CloseReason | None
    """Why it ends; None while it is open."""
    active_at: float
    moved_at: float
    read_deadline: float | None

    @property
    def crash_slot(self) -> int:
        """Its place in shared memory; 0: none."""

    @property
    def can_move(self) -> bool:
        """False: it never goes to another process."""

    @property
    def is_idle(self) -> bool:
        """True when nothing that was begun here is unfinished, so that it might go on elsewhere."""

    def on_event(self, mask: int) -> None:
        """Serve an event, as the reactor asks."""

    def on_failure(self) -> None:
        """Handle an exception of `on_event` or `flush`."""

    def flush(self) -> None:
        """Send output, and settle the changes, that were made outside of an event."""

    def serve_unread(self) -> None:
        """Serve input that no event announces."""

    def next_deadline(self) -> tuple[float, TimeoutKind] | None:
        """Return the next deadline, and its kind."""

    def on_deadline(self, kind: TimeoutKind) -> None:
        """Act on a deadline that has passed."""


class Owner(Protocol):
    """The object that makes and ends the connections of a site."""

    def ended(self, conn: Held, fd: int, reason: CloseReason) -> None:
        """Deal with a connection that has just left epoll: call its hooks, count it, close `fd`."""

    def failed(self, conn: Held) -> None:
        """Log the exception of a hook that is being handled."""

    def closing(self, conn: Held, cause: BaseException | None) -> None:
        """Log why we close a connection: output above the limit (None), a LayerError, or epoll's OSError."""

    def tls_layers(self, conn: Held, context: ssl.SSLContext | None) -> Sequence[Layer]:
        """Make the layers of `start_tls`.

        :raises RuntimeError: there is no context, and the listener has no certificates.
        """

    def address(self, fd: int, *, peer: bool) -> Address:
        """Return the address of one end; of a connection that is gone (-1), or whose peer is, Address("unknown")."""


class Site:
    """The facts of one (socket, protocol)."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "bytes_taken",
        "can_move",
        "deadlines",
        "ends",
        "events",
        "high_water",
        "hook_errors",
        "idle_timeout",
        "index",
        "name",
        "on_accept",
        "on_close",
        "on_drain",
        "on_lost",
        "on_met",
        "on_readable",
        "on_timeout",
        "on_writable",
        "opening",
        "output_limit",
        "owner",
        "parked",
        "place",
        "protocol",
        "reactor",
        "then",
        "trigger",
        "unsent",
        "write_timeout",
    )

    def __init__(
        self,
        *,
        name: str,
        index: int,
        owner: Owner,
        reactor: Reactor,
        deadlines: Deadlines,
        on_readable: Callable[[Connection], object],
        on_accept: Callable[[Connection], object] | None,
        on_writable: Callable[[Connection], object] | None,
        on_timeout: Callable[[Connection, TimeoutKind], object] | None,
        on_drain: Callable[[Connection], object] | None,
        on_lost: Callable[[Connection], object] | None,
        on_close: Callable[[Connection, CloseReason], object] | None,
        idle_timeout: float,
        write_timeout: float,
        high_water: int,
        output_limit: int,
        can_move: bool,
        protocol: str,
        place: int,
    ) -> None:
        """Begin without connections.

        :param index: the index, in messages, of the socket that its connections came in by.
        :param can_move: False: its connections never go to another process.
        :param protocol: the name of the protocol that serves its connections; "" before one is chosen.
        :param place: the place of their counters on the scoreboard.
        """
        self.name = name
        self.index = index
        self.owner = owner
        self.reactor = reactor
        self.deadlines = deadlines
        self.unsent = reactor.unsent
        self.on_readable = on_readable
        self.on_accept = on_accept
        self.on_writable = on_writable
        self.on_timeout = on_timeout
        self.on_drain = on_drain
        self.on_lost = on_lost
        self.on_close = on_close
        self.idle_timeout = idle_timeout
        self.write_timeout = write_timeout
        self.high_water = min(high_water, MAX_SIZE)
        self.output_limit = min(output_limit, MAX_SIZE)
        self.can_move = can_move
        self.protocol = protocol
        self.place = place
        self.then: Site | None = None
        """The site that a connection enters when its layers are open, or its PROXY header was read."""
        self.trigger = 0
        """EPOLLET at a site whose hook looks at input and leaves it in the kernel, where it would be reported for
        ever."""
        self.on_met: Callable[[Held], None] | None = None
        """Called with a connection that has begun here, or has come here, once its first hook has run: of a drain."""
        self.opening: Site | None = None
        """The site at which a connection waits for layers that its protocol has started."""
        self.parked: set[Source] = set()
        self.hook_errors = 0
        """Exceptions that hooks have raised for its connections."""
        self.events = 0
        """Events that brought data, or the peer's end."""
        self.ends = 0
        """Those of them that brought nothing but the end, or a reset."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.bytes_taken = 0
        """Plaintext that the protocol has received through layers."""

    def twin(self) -> Site:
        """Return a site with the same hooks and limits, and without connections."""
        site = Site(
            name=self.name,
            index=self.index,
            owner=self.owner,
            reactor=self.reactor,
            deadlines=self.deadlines,
            on_readable=self.on_readable,
            on_accept=self.on_accept,
            on_writable=self.on_writable,
            on_timeout=self.on_timeout,
            on_drain=self.on_drain,
            on_lost=self.on_lost,
            on_close=self.on_close,
            idle_timeout=self.idle_timeout,
            write_timeout=self.write_timeout,
            high_water=self.high_water,
            output_limit=self.output_limit,
            can_move=self.can_move,
            protocol=self.protocol,
            place=self.place,
        )
        site.then, site.opening, site.on_met = self.then, self.opening, self.on_met
        return site
