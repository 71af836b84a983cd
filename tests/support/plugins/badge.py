"""A transport that shows the content of a file as the host of every address, and a protocol that sends it."""

from pathlib import Path

import corepool
from corepool import Address, ServerCertificate, hookimpl
from corepool_tcp import Tcp


class Badge(Tcp):
    """Bound to badge://HOST:PORT?file=PATH. A file of `until SECONDS` is a certificate that ends then."""

    class Options(corepool.Options):
        """`file`: of the name."""

        file: str

    def __init__(self, options):
        self._options = options
        self._name = None

    def url(self, endpoint, listening):
        return f"tcp://127.0.0.1:{listening.getsockname()[1]}"

    def address(self, sockaddr):
        return Address(self._name)

    def refresh(self, endpoint):
        name = Path(self._options.file).read_text()
        if name == "":
            raise ValueError("the badge is empty")
        if name == "bug":
            raise RuntimeError("a bug")
        if name == self._name:
            return None
        self._name = name
        return name.encode()

    def refreshed(self, state):
        if state == b"not for workers":
            raise ValueError("no worker takes it")
        self._name = state.decode()

    def certificates(self):
        words = self._name.split()
        until = float(words[1]) if words[0] == "until" else 4e9
        return [ServerCertificate(self._options.file, ("badge.example",), 0.0, until)]


class Reader:
    @hookimpl
    def on_accept(self, conn):
        conn.send(conn.peer.host.encode())
        conn.close()

    @hookimpl
    def on_worker_start(self, worker):
        if Path("broken").exists():
            raise RuntimeError("it is broken")

    @hookimpl
    def on_readable(self, conn):
        conn.recv()
