"""The extension `limits`: how many connections a client may have and open, and how many the pool may hold.

`per_peer` and `rate` count the connections of all workers, exactly: in memory that they share
(corepool/spec/sharing.py). `total` is the pool's as well, as of a tenth of a second ago (`totals.py`): the listeners
without this extension are in it, too.

UNIX clients have no address to tell them apart by: only `total` counts for them. Clients whose address isn't
known, because they have gone already, are taken for one client. The address of a client behind a proxy of
`accept_proxy` is the one that the proxy's header names.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from corepool import Options, SetupError, hookimpl
from corepool.logs.rate_limited import RateLimitedLog
from corepool.spec.networks import peer_of
from corepool_extensions import events
from corepool_extensions.refusals import Refusals
from corepool_extensions.totals import PoolCount

if TYPE_CHECKING:
    from corepool import Connection, Hold, LeakyBuckets, Semaphores, Worker
    from corepool.spec.networks import Peer

log = logging.getLogger(__name__)

_UNKNOWN = b"?"  # the key of those whose address isn't known

_MAX_S = 100 * 365 * 86_400
"""How long an empty bucket may take to be full again; it is a mistake, and not a limit, long before that."""


class LimitsOptions(Options):
    """[listener.extension_options.limits]."""

    per_peer: Annotated[int, Field(ge=1)] | None = None
    """Connections at once from one address, in all workers together."""

    rate: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """New connections per second from one address, in all workers together."""

    burst: Annotated[int, Field(ge=1)] | None = None
    """How many of them may come at once after a pause; unset: what comes in a second."""

    total: Annotated[int, Field(ge=1)] | None = None
    """Connections at once in the whole pool, those of other listeners included."""

    ipv6_prefix: Annotated[int, Field(ge=1, le=128)] = 64
    """Bits of an IPv6 address that identify a client: a household has 2^64 addresses, and may use them all."""

    max_peers: Annotated[int, Field(ge=1, le=500_000)] = 65_536
    """Addresses that are remembered at once: some 9 MB. Of `rate`, those that have used up least of it are forgotten
    beyond that; of `per_peer`, more are refused, and an address counts once for each worker that serves it."""

    zone: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """A name. Listeners of a pool that have the same one count together; unset: each counts for itself."""

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.per_peer is None and self.rate is None and self.total is None:
            raise ValueError("at least one of `per_peer`, `rate` and `total` is needed")
        if self.burst is not None and self.rate is None:
            raise ValueError("`burst` has no meaning without `rate`")
        if self.zone is not None and self.per_peer is None and self.rate is None:
            raise ValueError("`zone` has no meaning without `per_peer` or `rate`: `total` is always the pool's")
        if self.rate is not None and (self.burst or 1) / self.rate > _MAX_S:
            raise ValueError("at this `rate` it takes more than a hundred years until `burst` may come again")
        return self


class Limits:
    """Refuse connections beyond a limit."""

    Options = LimitsOptions

    def __init__(self, options: LimitsOptions) -> None:
        self._options = options
        self._holds: dict[int, Hold] = {}  # by open connection
        self._semaphores: Semaphores | None = None
        self._buckets: LeakyBuckets | None = None
        self._count: PoolCount | None = None
        self._worker: Worker
        self._refusals: Refusals
        self._rate_limited = RateLimitedLog(log)

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        options = self._options
        self._worker = worker
        self._refusals = Refusals("limits", worker.loop)
        name = f"limits {worker.listener_of(self)}" if options.zone is None else f"limits in {options.zone}"
        try:
            if options.per_peer is not None:
                self._semaphores = worker.semaphores(name, options.max_peers)
            if options.rate is not None:
                burst = options.burst or math.ceil(options.rate)
                self._buckets = worker.buckets(name, options.rate, burst, options.max_peers)
        except SetupError as error:
            raise SetupError(
                f"{error}: have several listeners count together (`zone`), or remember fewer addresses (`max_peers`)"
            ) from None
        if options.total is not None:
            self._count = PoolCount(lambda: sum(load.connections for load in worker.loads()))

    @hookimpl
    def on_worker_stop(self) -> None:
        self._refusals.close()

    @hookimpl
    def on_accept(self, conn: Connection) -> None:
        self._begin()
        address = conn.peer
        key = key_of(peer_of(address), self._options.ipv6_prefix)
        try:
            reason = self._judge(conn, key)
        except TimeoutError as error:  # rather one client too many than none
            events.limits_not_known(self._rate_limited, listener=conn.listener, reason=error)
            return
        if reason:
            self._refusals.refuse(conn, address, reason)

    @hookimpl
    def on_freeze(self) -> bytes:
        return b""

    @hookimpl
    def on_thaw(self, conn: Connection) -> None:
        """Count it; it was judged when it came."""
        self._begin()
        key = key_of(peer_of(conn.peer), self._options.ipv6_prefix)
        if key is not None and self._semaphores is not None:
            try:
                hold = self._semaphores.acquire(key)
            except TimeoutError as error:
                events.limits_not_known(self._rate_limited, listener=conn.listener, reason=error)
            else:
                if hold is not None:  # else there is no room for one more key
                    self._holds[conn.id] = hold

    def _begin(self) -> None:
        if self._count is not None and self._count.begin(time.monotonic_ns()):
            self._worker.at_batch_end(self._count.read_again)

    @hookimpl
    def on_close(self, conn: Connection) -> None:
        if self._count is not None:
            self._count.end()
        self._let_go(conn)

    def _let_go(self, conn: Connection) -> None:
        hold = self._holds.pop(conn.id, None)
        if hold is not None:
            hold.release()

    def _judge(self, conn: Connection, key: bytes | None) -> str:
        """Name the limit that this connection exceeds, or count it and return "".

        :raises TimeoutError: see `corepool.LeakyBuckets.take`; it may be counted or not.
        """
        options = self._options
        if self._count is not None and options.total is not None and self._count.held > options.total:
            return "total"
        if key is None:
            return ""
        if self._semaphores is not None:
            hold = self._semaphores.acquire(key, options.per_peer)
            if hold is None:
                return "per_peer"
            self._holds[conn.id] = hold
        if self._buckets is not None and not self._buckets.take(key):
            self._let_go(conn)
            return "rate"
        return ""


def key_of(peer: Peer, ipv6_prefix: int) -> bytes | None:
    """Return the key that connections of one client share; None for UNIX clients, which can't be told apart."""
    if peer is None:
        return _UNKNOWN
    if peer == "unix":
        return None
    if peer.bits == 128:
        return b"6/%x" % (peer.number >> 128 - ipv6_prefix)
    return b"4/%x" % peer.number
