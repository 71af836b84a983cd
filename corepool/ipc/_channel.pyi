import socket
from collections.abc import Sequence

from corepool.ipc.channel import Received

def send(sock: socket.socket, record: bytes, fds: Sequence[int]) -> int: ...
def receive(sock: socket.socket, space: int, flags: int) -> Received | int | None: ...
