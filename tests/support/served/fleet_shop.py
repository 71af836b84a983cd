"""The application of each of several hosts: says which host has answered, and writes to a cluster of Redis."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOST = os.environ["SHOP_HOST"]
CLUSTER = os.environ.get("SHOP_CLUSTER", "")


class _Cluster:
    client: Any = None


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] != "http":
        return
    status, content = 200, HOST
    kind, _, argument = scope["path"].strip("/").partition("/")
    if kind == "write":
        try:
            await _write(argument)
        except Exception as error:  # of a cluster without a primary, say: the client is told
            status, content = 503, f"{type(error).__name__}: {error}"
    elif kind == "wait":
        await asyncio.sleep(float(argument.partition("/")[0]))
    elif kind == "client":
        content = scope["client"][0]
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": content.encode()})


async def _write(key: str) -> None:
    from redis.asyncio.cluster import ClusterNode, RedisCluster

    if _Cluster.client is None:
        nodes = [ClusterNode(*each.split(":")) for each in CLUSTER.split(",")]
        _Cluster.client = RedisCluster(startup_nodes=nodes, socket_timeout=1, socket_connect_timeout=1)
    await _Cluster.client.set(key, HOST)
