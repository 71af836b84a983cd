"""A kv pool's configuration, and a client that hides nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hiredis

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable


def encode(words: tuple[object, ...]) -> bytes:
    arguments = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    parts = [b"$%d\r\n%b\r\n" % (len(each), each) for each in arguments]
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


class Client:
    """Sends commands as RESP arrays and gives the replies as hiredis reads them; errors are values."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = hiredis.Reader()

    def __call__(self, *words: object) -> Any:
        self.send(*words)
        return self.receive()

    def send(self, *words: object) -> None:
        self.sock.sendall(encode(words))

    def send_all(self, commands: Iterable[tuple[object, ...]]) -> None:
        """Send a pipeline."""
        self.sock.sendall(b"".join(map(encode, commands)))

    def has_reply(self) -> bool:
        """Report whether there are bytes of a reply already, of a server that sends whole replies."""
        return bool(self._reader.has_data())

    def receive(self) -> Any:
        while True:
            reply = self._reader.gets()
            if reply is not False:
                return reply
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._reader.feed(data)


KV = """
[pool]
workers = {workers}
dispatcher = "round-robin"
respawn_delay = "1ms"
respawn_delay_max = "1ms"
[[listener]]
name = "kv"
bind = ["tcp://127.0.0.1:0"]
protocol = "kv"
[listener.options]
{options}
"""


def kv_toml(workers: int = 2, **options: object) -> str:
    lines = [
        f"{name} = {value!r}" if isinstance(value, str) else f"{name} = {value}" for name, value in options.items()
    ]
    return KV.format(workers=workers, options="\n".join(lines))


def compile_preload(name: str, folder: Path) -> Path:
    """Compile a library to be loaded before all others."""
    source = Path(__file__).parent / "preload" / f"{name}.c"
    library = folder / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source], check=True)  # noqa: S603, S607
    return library
