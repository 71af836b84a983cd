"""A protocol and an extension made for tests: what they do is asked for, line by line, by the client.

`files()` are to be written into the pool's folder, which is on the import path of `python -m corepool`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sources import metadata, source

from corepool.testing.sockets import receive_all

if TYPE_CHECKING:
    import socket

SOURCE = source("plugins/probe.py")

ENTRY_POINTS = """
[corepool.protocols]
probe = probe:Probe

[corepool.extensions]
record = probe:Record
"""


def files() -> dict[str, str]:
    """Return the files of the plugin, as an installer would lay them."""
    return {
        "probe.py": SOURCE,
        **metadata("probe", ENTRY_POINTS),
    }


def config(listener: str = "", pool: str = "", workers: int = 2, bind: str = "tcp://127.0.0.1:0") -> str:
    """Return a configuration of the probe; `listener` and `pool` are more lines of their tables."""
    return f"""
[pool]
workers = {workers}
respawn_delay = "1ms"
respawn_delay_max = "1ms"
{pool}
[[listener]]
name = "probe"
bind = ["{bind}"]
protocol = "probe"
{listener}
"""


def ask(sock: socket.socket, line: str) -> str:
    """Send a line and receive one; "" when the connection ended."""
    sock.sendall(line.encode() + b"\n")
    return read_line(sock)


def read_line(sock: socket.socket) -> str:
    received = bytearray()
    while not received.endswith(b"\n"):
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
    return received.decode().strip()


def receive_all_or_reset(sock: socket.socket) -> bytes:
    try:
        return receive_all(sock)
    except ConnectionResetError:
        return b""
