"""Reasons why a listener can't have what its settings ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config.settings import WorkersRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corepool.config.settings import PoolSettings
    from corepool.plugins.chain import Chain
    from corepool.spec.dispatcher import Dispatcher


def obstacles_to_keeping(
    dispatcher_name: str, dispatcher: Dispatcher | None, chains: Mapping[str, Chain | None]
) -> Iterator[str]:
    """Yield the reasons why connections of a listener can't outlive their worker.

    :param chains: by the names of its protocols.
    """
    if dispatcher is not None and dispatcher.worker_accepts:
        yield f"with the dispatcher {dispatcher_name!r} the master never has the connections; choose another"
    for name, chain in chains.items():
        if chain is not None and not chain.freezer.can_freeze:
            yield f"protocol {name!r}, or an extension, can't hand on the state of a connection (on_freeze)"


def obstacles_to_own_addresses(pool: PoolSettings, dispatcher_name: str, dispatcher: Dispatcher) -> Iterator[str]:
    """Yield the reasons why workers can't have an address each."""
    if not dispatcher.worker_accepts:
        yield f"each worker accepts at its own address, so dispatcher {dispatcher_name!r} has no choice; leave it out"
    if isinstance(pool.workers, WorkersRange):
        yield "each worker has an address, so their number is fixed; write workers as a number"
