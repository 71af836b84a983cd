"""A real memcached to compare with, and a client that hides nothing."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kv_client import kv_toml

from corepool.testing.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def memcached_toml(workers: int = 2, **options: object) -> str:
    """Return the configuration of a pool that serves memcached."""
    return kv_toml(workers, **options).replace('protocol = "kv"', 'protocol = "memcached"')


@contextmanager
def running_memcached(folder: Path) -> Iterator[Path]:
    """Run a real memcached; yield the path of its UNIX socket."""
    path = folder / "m.sock"
    process = subprocess.Popen(["memcached", "-u", "root", "-s", path])  # noqa: S603, S607
    try:

        def listens() -> bool:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                return sock.connect_ex(str(path)) == 0

        wait_until(listens, what="memcached listening")
        yield path
    finally:
        process.terminate()
        process.wait()


class Client:
    """Sends bytes, and reads the replies to all of them."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(DEADLINE_S)
        self.sock = sock

    def ask(self, *parts: bytes) -> bytes:
        """Send parts, each by itself, and return what comes back before the reply to `mn`."""
        for part in (*parts, b"mn\r\n"):
            self.sock.sendall(part)
        received = bytearray()
        while not received.endswith(b"MN\r\n"):
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(bytes(received))
            received += data
        return bytes(received[: -len(b"MN\r\n")])
