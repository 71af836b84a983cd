"""A transport that shows the content of a file as the host of every address, and a protocol that sends it."""

from pathlib import Path

import corepool
from corepool import Address, hookimpl
from corepool_tcp import Tcp


class Badge(Tcp):
    """Bound to badge://HOST:PORT?file=PATH."""

    class Options(corepool.Options):
        """`file`: of the name."""

        file: str

    def __init__(self, options):
        self._options = options
        self._name = Path(options.file).read_text()

    def url(self, endpoint, listening):
        return f"tcp://127.0.0.1:{listening.getsockname()[1]}"

    def address(self, sockaddr):
        return Address(self._name)

    def renew(self, endpoint):
        renewed = Badge(self._options)
        if renewed._name == "":
            raise ValueError("the badge is empty")
        if renewed._name == "bug":
            return None
        return renewed


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
