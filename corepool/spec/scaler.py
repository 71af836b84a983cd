"""The contract of a scaler: how many workers there should be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple


class PoolLoad(NamedTuple):
    """The load of a pool since the last call of its scaler."""

    workers: int
    """How many there should be now."""

    ready: int
    """How many take connections."""

    busyness: float
    """The share of its time in which a worker was doing something, from 0 to 1: the mean of those that are ready."""

    connections: int
    """Connections that are open."""

    min_workers: int
    """There are never fewer than this, whatever is decided."""

    max_workers: int
    """There are never more than this."""

    elapsed_s: float
    """Seconds since the last time."""


class Scaler(ABC):
    """A way to choose the number of workers. One instance per pool, in the master, called by one thread."""

    api_version: ClassVar[int] = 1

    @abstractmethod
    def decide(self, load: PoolLoad) -> int:
        """Return the wanted number of workers.

        Runs in: master, about once a second. Must not: block.
        If it raises: logged; the number stays.
        """
