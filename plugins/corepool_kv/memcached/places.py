"""The place of a listener's items, as its store names it: on this machine, or on other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.memcached.local import OnThisMachine
from corepool_kv.stores.remote_url import is_remote

if TYPE_CHECKING:
    from corepool import PoolInfo, SharedResource, Worker
    from corepool_kv.memcached.options import MemcachedOptions
    from corepool_kv.memcached.server import Items


class Place(Protocol):
    """From the configuration to the end of the pool."""

    max_workers: int | None

    @property
    def shares(self) -> list[SharedResource]:
        """The store, if other listeners may have the same."""

    def prepare(self, pool: PoolInfo) -> None:
        """Make what all workers share. Runs in: the master."""

    def discard(self) -> None:
        """Remove temporary files. Runs in: the master."""

    def open(self, worker: Worker, protocol: object) -> Items:
        """Begin, for the listener of a protocol. Runs in: the worker.

        :raises SetupError: the store can't be used.
        """

    def close(self) -> None:
        """End. Runs in: the worker."""


def find_place(options: MemcachedOptions) -> Place:
    """Choose by the store's name; nothing is opened yet."""
    if not is_remote(options.store):
        return OnThisMachine(options)
    from corepool_kv.memcached.remote import OnServers  # noqa: PLC0415  # a store on this machine needs none of it

    return OnServers(options)
