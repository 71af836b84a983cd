import os

import socketio

from corepool.contrib.socketio import AsyncBusManager

server = socketio.AsyncServer(async_mode="asgi", client_manager=AsyncBusManager())
app = socketio.ASGIApp(server)


@server.event
async def connect(sid, environ, auth):
    await server.enter_room(sid, "everybody")


@server.event
async def whoami(sid):
    return [os.getpid(), sid]


@server.event
async def say(sid, data):
    await server.emit("said", data, room="everybody")


@server.event
async def whisper(sid, to, data):
    await server.emit("said", data, to=to)


@server.event
async def go(sid, other, room):
    """Put another client into a room, wherever it is."""
    await server.enter_room(other, room)
    await server.emit("said", "in the room", room=room)


@server.event
async def end(sid, other):
    await server.disconnect(other)


@server.event
async def ask(sid, other):
    async def answered(answer):
        await server.emit("said", ["answer", answer], to=sid)

    await server.emit("question", "how are you?", to=other, callback=answered)
