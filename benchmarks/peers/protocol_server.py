"""A single process that accepts for itself: `protocol_server asyncio|uvloop echo|ping PORT`.

The fastest that plain asyncio code gets: a Protocol, no streams and no tasks.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import TYPE_CHECKING, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BACKLOG = 2048  # corepool's default


class Echo(asyncio.Protocol):
    """Send back what comes."""

    __slots__ = ("transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class Ping(Echo):
    """Answer every line with redis's answer to PING."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        self.transport.write(b"+PONG\r\n" * data.count(b"\n"))


LOOPS: Mapping[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
PROTOCOLS: Mapping[str, type[asyncio.Protocol]] = {"echo": Echo, "ping": Ping}


async def serve(protocol: type[asyncio.Protocol], port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", port, backlog=BACKLOG)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    await server.serve_forever()


if __name__ == "__main__":
    _, loop_name, protocol_name, port = sys.argv
    with asyncio.Runner(loop_factory=LOOPS[loop_name]) as runner:
        runner.run(serve(PROTOCOLS[protocol_name], int(port)))
