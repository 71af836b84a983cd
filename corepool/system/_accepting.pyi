import socket
from collections.abc import Callable

def accept_one(
    listening: socket.socket, otherwise: Callable[[socket.socket], tuple[int, object] | None]
) -> tuple[int, object] | None: ...
