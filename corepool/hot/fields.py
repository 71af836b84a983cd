"""The fields of a connection, as compiled code reads them; `site.Held` says what each means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.spec.connection_base import ConnectionBase

if TYPE_CHECKING:
    from corepool.hot.deadlines import Entry
    from corepool.hot.layers import Layers
    from corepool.hot.outbox import Outbox
    from corepool.hot.site import Journal, Site
    from corepool.spec.proxy_header import ProxyHeader


class Fields(ConnectionBase):
    """A connection without its methods: below the functions that serve it, which are below the connection."""

    __slots__ = (
        "active_at",
        "blocked_at",
        "bytes_in",
        "bytes_out",
        "drops_input",
        "entry",
        "eof_due",
        "fd",
        "header",
        "high",
        "id",
        "journal",
        "layers",
        "low",
        "mask",
        "moved_at",
        "out",
        "paused",
        "read_deadline",
        "reads_left",
        "site",
        "was_congested",
    )

    site: Site
    fd: int
    id: int
    entry: Entry | None
    journal: Journal | None
    layers: Layers | None
    header: ProxyHeader | None
    bytes_in: int
    bytes_out: int
    reads_left: int
    paused: bool
    drops_input: bool
    mask: int
    out: bytes | Outbox | Layers
    high: int
    low: int
    was_congested: bool
    blocked_at: float
    eof_due: bool
    active_at: float
    moved_at: float
    read_deadline: float | None

    def on_event(self, mask: int) -> None:
        """Serve an event, as the reactor asks."""
        raise NotImplementedError
