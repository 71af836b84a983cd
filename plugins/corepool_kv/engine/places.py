"""The place of a listener's data, as the store's name says: on this machine (`listener_store`), or on other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from corepool import PoolInfo, SharedResource, Worker

Served_co = TypeVar("Served_co", covariant=True)


class Place(Protocol[Served_co]):
    """A place, from the configuration to the end of the pool."""

    max_workers: int | None

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""

    def prepare(self, pool: PoolInfo) -> None:
        """Make what all workers share. Runs in: the master."""

    def discard(self) -> None:
        """Remove temporary files. Runs in: the master."""

    def start(self, worker: Worker, protocol: object) -> Served_co:
        """Begin to serve the listener of a protocol, and return the part that does. Runs in: the worker.

        :raises SetupError: the store can't be used.
        """

    def close(self) -> None:
        """End. Runs in: the worker."""


class OtherServers:
    """The part that is the same for every dialect whose data are on other servers: nothing is here."""

    max_workers: int | None = None

    @property
    def shares(self) -> list[SharedResource]:
        """Nothing: any number of listeners, and of other programs, may have the same."""
        return []

    def prepare(self, pool: PoolInfo) -> None:
        """Do nothing."""

    def discard(self) -> None:
        """Do nothing."""
