"""The extension `limits`: how many connections a client may have and open, and how many the pool may hold.

`per_peer` and `rate` are each worker's own: workers share no table of peers, and keeping one in step would
cost every connection too much. With the dispatcher `source-hash` a client's connections all come to
one worker, and then the figures are the pool's. `total` is the pool's with every dispatcher (`totals.py`).

UNIX clients have no address to tell them apart by: only `total` counts for them. Clients whose address isn't
known, because they have gone already, are taken for one client. The address of a client behind a proxy of
`accept_proxy` is the one that the proxy's header names.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from corepool import Options, hookimpl
from corepool.spec.networks import peer_of
from corepool_extensions.buckets import Buckets
from corepool_extensions.refusals import Refusals
from corepool_extensions.totals import PoolCount

if TYPE_CHECKING:
    from corepool import Connection, Worker
    from corepool.spec.networks import Peer

Key = tuple[int, int]

_UNKNOWN: Key = (0, 0)  # the key of those whose address isn't known; no IP address has 0 bits


class LimitsOptions(Options):
    """[listener.extension_options.limits]."""

    per_peer: Annotated[int, Field(ge=1)] | None = None
    """Connections at once from one address, in each worker."""

    rate: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """New connections per second from one address, in each worker."""

    burst: Annotated[int, Field(ge=1)] | None = None
    """How many of them may come at once after a pause; unset: what comes in a second."""

    total: Annotated[int, Field(ge=1)] | None = None
    """Connections at once in the whole pool, those of other listeners included."""

    ipv6_prefix: Annotated[int, Field(ge=1, le=128)] = 64
    """Bits of an IPv6 address that identify a client: a household has 2^64 addresses, and may use them all."""

    max_peers: Annotated[int, Field(ge=1, le=10_000_000)] = 65_536
    """Addresses whose rate a worker remembers: some 10 MB. Beyond that, those that came longest ago are forgotten."""

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.per_peer is None and self.rate is None and self.total is None:
            raise ValueError("at least one of `per_peer`, `rate` and `total` is needed")
        if self.burst is not None and self.rate is None:
            raise ValueError("`burst` has no meaning without `rate`")
        return self


class Limits:
    """Refuse connections beyond a limit."""

    Options = LimitsOptions

    def __init__(self, options: LimitsOptions) -> None:
        self._options = options
        self._at_once: dict[Key, int] = {}
        self._keys: dict[int, Key] = {}  # by open connection: on_close can't ask for a peer's address any more
        self._buckets: Buckets | None = None
        if options.rate is not None:
            self._buckets = Buckets(options.rate, options.burst or math.ceil(options.rate), options.max_peers)
        self._count: PoolCount | None = None
        self._worker: Worker
        self._refusals: Refusals

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        self._worker = worker
        self._refusals = Refusals("limits", worker.loop)
        if self._options.total is not None:
            self._count = PoolCount(lambda: sum(load.connections for load in worker.loads()))

    @hookimpl
    def on_worker_stop(self) -> None:
        self._refusals.close()

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        now_ns = self._begin()
        address = conn.peer
        key = key_of(peer_of(address), self._options.ipv6_prefix)
        reason = self._judge(key, now_ns)
        if reason:
            self._refusals.refuse(conn, address, reason)
        elif key is not None:
            self._keep(conn, key)

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self, conn: Connection) -> None:
        """Count it; it was judged when it came."""
        self._begin()
        key = key_of(peer_of(conn.peer), self._options.ipv6_prefix)
        if key is not None:
            self._keep(conn, key)

    def _begin(self) -> int:
        now_ns = time.monotonic_ns()
        if self._count is not None and self._count.begin(now_ns):
            self._worker.at_batch_end(self._count.read_again)
        return now_ns

    def _keep(self, conn: Connection, key: Key) -> None:
        if self._options.per_peer is not None:
            self._keys[conn.id] = key
            self._at_once[key] = self._at_once.get(key, 0) + 1

    @hookimpl
    def on_close(self, conn: Connection) -> None:
        if self._count is not None:
            self._count.end()
        key = self._keys.pop(conn.id, None)
        if key is not None:
            left = self._at_once[key] - 1
            if left:
                self._at_once[key] = left
            else:
                del self._at_once[key]

    def _judge(self, key: Key | None, now_ns: int) -> str:
        """Name the limit that one more connection would exceed, or ""."""
        options = self._options
        if self._count is not None and options.total is not None and self._count.held > options.total:
            return "total"
        if key is None:
            return ""
        if options.per_peer is not None and self._at_once.get(key, 0) >= options.per_peer:
            return "per_peer"
        if self._buckets is not None and not self._buckets.take(key, now_ns):
            return "rate"
        return ""


def key_of(peer: Peer, ipv6_prefix: int) -> Key | None:
    """Return the key that connections of one client share; None for UNIX clients, which can't be told apart."""
    if peer is None:
        return _UNKNOWN
    if peer == "unix":
        return None
    if peer.bits == 128:
        return 128, peer.number >> 128 - ipv6_prefix
    return peer
