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

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from corepool.spec.connection import Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from corepool.hot.deadlines import Deadlines, Entry
    from corepool.hot.layers import Layers
    from corepool.hot.outbox import Outbox
    from corepool.hot.reactor import Reactor, Source
    from corepool.spec.layer import Layer
    from corepool.spec.proxy_header import ProxyHeader
    from corepool.spec.types import Address, CloseReason, TimeoutKind


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
    """The events that epoll watches for, or PARKED, or GONE."""
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


@dataclass(slots=True, eq=False)
class Site:
    """The facts of one (socket, protocol)."""

    name: str
    index: int
    """The index, in messages, of the socket that its connections came in by."""
    owner: Owner
    reactor: Reactor
    deadlines: Deadlines
    unsent: list[Source]
    on_readable: Callable[[Connection], object]
    on_accept: Callable[[Connection], object] | None
    on_writable: Callable[[Connection], object] | None
    on_timeout: Callable[[Connection, TimeoutKind], object] | None
    on_drain: Callable[[Connection], object] | None
    on_lost: Callable[[Connection], object] | None
    on_close: Callable[[Connection, CloseReason], object] | None
    idle_timeout: float
    write_timeout: float
    high_water: int
    output_limit: int
    can_move: bool = False
    """False: its connections never go to another process."""
    then: Site | None = None
    """The site that a connection enters when its layers are open, or its PROXY header was read."""
    trigger: int = 0
    """EPOLLET at a site whose hook looks at input and leaves it in the kernel, where it would be reported for ever."""
    on_met: Callable[[Held], None] | None = None
    """Called with a connection that has begun here, or has come here, once its first hook has run: of a drain."""
    protocol: str = ""
    """The name of the protocol that serves its connections; "" before one is chosen."""
    place: int = 0
    """The place of their counters on the scoreboard."""
    opening: Site | None = None
    """The site at which a connection waits for layers that its protocol has started."""
    hook_errors: int = 0
    """Exceptions that hooks have raised for its connections."""
    parked: set[Source] = field(default_factory=set)
    events: int = 0
    """Events that brought data, or the peer's end."""
    ends: int = 0
    """Those of them that brought nothing but the end, or a reset."""
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_taken: int = 0
    """Plaintext that the protocol has received through layers."""
