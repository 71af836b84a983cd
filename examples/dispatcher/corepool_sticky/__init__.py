"""The dispatcher sticky: the same client to the same worker, unless that one holds too many.

Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam, 2016), over rendezvous hashing. `source-hash`
alone gives every client of a company's one address to one worker, however much that has to do; here a worker with
more than its share passes them on to the client's second choice, which is always the same one, too.
"""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

import corepool
from corepool import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Incoming, WorkerView

__all__ = ["Sticky", "StickyOptions"]


class StickyOptions(corepool.Options):
    """[pool] or [listener], dispatcher_options."""

    slack: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 0.25
    """How much more than its equal share a worker may hold: 0.25 is a quarter. Less spreads more evenly; more sends
    fewer clients elsewhere."""

    floor: Annotated[int, Field(ge=1)] = 16
    """Connections that every worker may hold, however few there are: a quiet pool needs no balance."""


class Sticky(Dispatcher):
    """Choose the client's favourite among the workers that have room.

    A worker has room while it holds less than `floor`, or less than `1 + slack` times its share, the connection to be
    placed included: so there is always one. A client's order of workers depends on its address and their slots alone: a
    worker that comes or goes doesn't change the order of the others, and a restart changes nothing.
    """

    Options: ClassVar[type[StickyOptions]] = StickyOptions
    rebalances: ClassVar[bool] = False

    def __init__(self, options: StickyOptions) -> None:
        self._factor = 1 + options.slack
        self._floor = options.floor

    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView:
        """Choose by the peer's host; clients of a UNIX socket have none, and get the least loaded worker."""
        peer = incoming.peer
        if peer.port is None:
            return min(workers, key=lambda worker: worker.connections)
        connections = sum(worker.connections for worker in workers) + 1
        bound = max(self._floor, ceil(self._factor * connections / len(workers)))
        roomy = (worker for worker in workers if worker.connections < bound)
        host = peer.host.encode(errors="surrogateescape")
        return max(roomy, key=lambda worker: _score(host, worker.slot))


def _score(host: bytes, slot: int) -> bytes:
    """Return a number, as bytes, that looks random and is the same in each process: hash() is not."""
    return blake2b(host, digest_size=8, salt=slot.to_bytes(blake2b.SALT_SIZE)).digest()
