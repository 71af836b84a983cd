"""The way to the keys of a store on one server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_kv.remote.node import Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from corepool_kv.remote.link import Link, Settings
    from corepool_kv.remote.request import Request


class OneServer:
    """Implements `routes.Way` and `node.Routes`."""

    is_cluster = False

    def __init__(self, settings: Settings) -> None:
        """Begin to connect: a server that is not there is logged at the start."""
        self._node = Node(settings, self, settings.url.servers[0])
        self._node.shared(resp3=False, database=settings.url.database or 0)

    def node_of(self, key: bytes | None) -> Node | str:  # noqa: ARG002  # there is one
        return self._node

    def nodes(self) -> list[Node]:
        return [self._node]

    def is_ready(self, call: Callable[[], None]) -> bool:  # noqa: ARG002  # it always is
        return True

    def look(self, now_s: float) -> None:
        self._node.look(now_s)

    def close(self) -> None:
        self._node.close()

    def redirects(self, node: Node, link: Link, request: Request, reply: bytes) -> bool:  # noqa: ARG002
        return False

    def failed(self, node: Node) -> None:
        pass  # the next request tries again
