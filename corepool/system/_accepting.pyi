import socket
from collections.abc import Callable

def accept_one(
    otherwise: Callable[[socket.socket], tuple[int, object] | None], listening: socket.socket
) -> tuple[int, object] | None: ...
