import os

import socketio

from corepool.contrib.socketio import BusManager

server = socketio.Server(async_mode="threading", client_manager=BusManager())
app = socketio.WSGIApp(server)


@server.event
def connect(sid, environ, auth):
    server.enter_room(sid, "everybody")


@server.event
def whoami(sid):
    return [os.getpid(), sid]


@server.event
def say(sid, data):
    server.emit("said", data, room="everybody")


@server.event
def whisper(sid, to, data):
    server.emit("said", data, to=to)


@server.event
def go(sid, other, room):
    """Put another client into a room, wherever it is."""
    server.enter_room(other, room)
    server.emit("said", "in the room", room=room)


@server.event
def ask(sid, other):
    server.emit("question", "how are you?", to=other, callback=lambda answer: server.emit("said", answer, to=sid))


@server.event
def end(sid, other):
    server.disconnect(other)
