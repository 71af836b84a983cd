"""Our dispatchers keep the contract that every plugin's must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.testing.dispatcher import DispatcherContract
from corepool_dispatch.kernel import Kernel
from corepool_dispatch.least_connections import LeastConnections
from corepool_dispatch.power_of_two import PowerOfTwo
from corepool_dispatch.round_robin import RoundRobin
from corepool_dispatch.source_hash import SourceHash

if TYPE_CHECKING:
    from corepool import Dispatcher


class TestRoundRobin(DispatcherContract):
    def make(self) -> Dispatcher:
        return RoundRobin()


class TestLeastConnections(DispatcherContract):
    def make(self) -> Dispatcher:
        return LeastConnections()


class TestPowerOfTwo(DispatcherContract):
    def make(self) -> Dispatcher:
        return PowerOfTwo()


class TestSourceHash(DispatcherContract):
    def make(self) -> Dispatcher:
        return SourceHash()


class TestKernel(DispatcherContract):
    def make(self) -> Dispatcher:
        return Kernel()
