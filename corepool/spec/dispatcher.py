"""The contract of a dispatch strategy: choose a worker for one connection. It does no I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool.spec.types import Address


class WorkerView:
    """The facts about a worker for strategies. The master keeps them current; strategies only read.

    slot         stable place of the worker, 0..n-1
    pid          its process
    connections  connections that it holds, including those still on their way to it
    in_flight    connections on their way to it that it has not taken yet
    handed_over  connections given to it since it started
    lag_s        how late its loop last was, in seconds
    """

    __slots__ = ("connections", "handed_over", "in_flight", "lag_s", "pid", "slot")

    def __init__(self, slot: int, pid: int) -> None:
        self.slot = slot
        self.pid = pid
        self.connections = 0
        self.in_flight = 0
        self.handed_over = 0
        self.lag_s = 0.0


class Incoming:
    """The connection to be placed: the name of its listener, and the peer's address."""

    __slots__ = ("listener", "peer")

    def __init__(self, listener: str, peer: Address) -> None:
        self.listener = listener
        self.peer = peer


class Dispatcher(ABC):
    """A dispatch strategy. One instance per listener, in the master, called by one thread.

    A class that sets `worker_accepts` asks the workers to accept by themselves: the master then
    neither accepts on that listener nor calls `pick`. A class that clears `rebalances` has its own reasons for placing
    a connection: idle ones then don't move from workers that hold many to workers that hold few. A class that sets
    `chooses_by_peer` looks at the peer's address, which is the proxy's where one stands in front, with the PROXY
    protocol as well: the master reads no byte. `corepool check` tells then.
    """

    api_version: ClassVar[int] = 1
    worker_accepts: ClassVar[bool] = False
    rebalances: ClassVar[bool] = True
    chooses_by_peer: ClassVar[bool] = False

    @abstractmethod
    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> WorkerView | None:
        """Choose a worker for `incoming`.

        Runs in: master, once per accepted connection, on the hot path; and when a connection moves to another worker.
        Must not: block, change the views, keep them.
        If it raises: logged once a second at most; the connection goes to the least loaded worker.

        :param workers: the workers that can take a connection now, by slot; never empty.
        :returns: one of `workers`, or None to leave the connection waiting until a worker has room.
        """
