"""A process as most people write it: `stream_server asyncio|socketserver PORT`, every line answered with +PONG."""

from __future__ import annotations

import asyncio
import os
import socket
import socketserver
import sys

BACKLOG = 2048  # corepool's default


async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a connection."""
    while await reader.readline():
        writer.write(b"+PONG\r\n")
        await writer.drain()
    writer.close()


class Pong(socketserver.StreamRequestHandler):
    """Serve a connection."""

    def handle(self) -> None:
        for _ in self.rfile:
            self.wfile.write(b"+PONG\r\n")


class Server(socketserver.ThreadingTCPServer):
    """A thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = BACKLOG


def say_ready() -> None:
    """Notify the process that has started this one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])


async def serve(port: int) -> None:
    """Serve with asyncio.start_server until the process is ended."""
    server = await asyncio.start_server(pong, "127.0.0.1", port, backlog=BACKLOG)
    say_ready()
    await server.serve_forever()


if __name__ == "__main__":
    _, kind, port_text = sys.argv
    if kind == "asyncio":
        asyncio.run(serve(int(port_text)))
    else:
        with Server(("127.0.0.1", int(port_text)), Pong) as threading_server:
            say_ready()
            threading_server.serve_forever()
