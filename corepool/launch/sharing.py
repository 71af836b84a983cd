"""Listeners that use one resource, such as a store of data: are they able to, and do they agree?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.spec.types import SharedResource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool.plugins.listener import Listener


def find_contradictions(listeners: Iterable[tuple[str, Listener, int]]) -> Iterator[str]:
    """Report listeners that share a resource and contradict each other, and resources shared by too many workers.

    :param listeners: each with its place in the configuration, and the most workers that its pool may have.
    """
    first: dict[str, tuple[str, Listener, SharedResource]] = {}
    workers: dict[str, dict[int, int]] = {}
    for where, listener, most in listeners:
        protocol = listener.protocol
        declared: object = getattr(protocol, "shares", ())
        for resource in declared if isinstance(declared, list | tuple) else ():
            if not isinstance(resource, SharedResource):
                continue
            pools = workers.setdefault(resource.identity, {})
            pools[listener.pool] = most
            its_place, its_listener, its = first.setdefault(resource.identity, (where, listener, resource))
            if listener is its_listener:
                continue
            both = (
                f"{where}: listener {listener.name!r} shares {resource.name} with listener {its_listener.name!r} "
                f"({its_place})"
            )
            if its.name != resource.name:
                both += f", where it is called {its.name}"
            differing = [name for name in resource.settings if its.settings.get(name) != resource.settings[name]]
            if differing:
                yield f"{both}, and they contradict each other: " + "; ".join(
                    f"{name} = {resource.settings[name]} here, {its.settings.get(name, 'unset')} there"
                    for name in differing
                )
            can_share: object = getattr(protocol, "max_workers", None)
            if isinstance(can_share, int) and len(pools) > 1 and sum(pools.values()) > can_share:
                yield f"{both}, which is of another pool: workers of several pools can't share it"
