"""A Socket.IO server whose sessions live in this process."""

import os

import socketio

server = socketio.AsyncServer(async_mode="asgi")
app = socketio.ASGIApp(server)


@server.event
async def whereabouts(_sid: str) -> int:
    """Answer with the process that has the session."""
    return os.getpid()
