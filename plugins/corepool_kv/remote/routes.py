"""The way from a key to its server: on one server, or in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from corepool_kv.remote.cluster import Cluster
from corepool_kv.remote.one_server import OneServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.remote.link import Settings
    from corepool_kv.remote.node import Node


class Way(Protocol):
    """What clients need of it."""

    @property
    def is_cluster(self) -> bool:
        """Whether there may be several servers."""

    def node_of(self, key: bytes | None) -> Node | str:
        """Return the server of a key, or any one; or why there is none."""

    def nodes(self) -> list[Node]:
        """Return all servers that have keys, in an order that stays the same."""

    def is_ready(self, call: Callable[[], None]) -> bool:
        """Return whether servers are known; if they are being asked for, have `call` called when that is over."""

    def look(self, now_s: float) -> None:
        """End links whose server does not answer. Called about once a second."""

    def close(self) -> None:
        """Close every link."""


def find_way(settings: Settings) -> Way:
    """Begin to connect to the servers of a URL."""
    return Cluster(settings) if settings.url.is_cluster else OneServer(settings)
