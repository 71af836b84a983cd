"""The listeners of a worker, as its plugins see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.spec.types import ListenerInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.plugins.listener import BoundSocket, Served


def listeners_of(bound: Iterable[BoundSocket]) -> list[ListenerInfo]:
    """Describe the listeners, each with all its addresses."""
    groups: dict[tuple[str, str], list[BoundSocket]] = {}
    for each in bound:
        groups.setdefault((each.listener.name, each.listener.protocol_names), []).append(each)
    return [
        ListenerInfo(*key, tuple(one.url for one in group), tuple(text for one in group for text in one.examples))
        for key, group in groups.items()
    ]


def listener_with(bound: Iterable[BoundSocket], plugin: object) -> str:
    """Return the name of the listener that has a plugin.

    :raises ValueError: none has it.
    """
    for each in bound:
        if each.listener.has(plugin):
            return each.listener.name
    raise ValueError(f"{plugin!r} is neither protocol nor extension of a listener of this worker")


def served_by(bound: Iterable[BoundSocket], protocol: object) -> Served:
    """Find a protocol among those that are served.

    :raises ValueError: no listener has it.
    """
    found = (served for each in bound for served in each.listener.served if served.protocol is protocol)
    if (served := next(found, None)) is None:
        raise ValueError(f"{protocol!r} is the protocol of no listener of this worker; its metrics have no place")
    return served
