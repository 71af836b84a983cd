"""A load that counts what fails: HTTP clients in threads.

Of four, one connects anew for each request, one keeps its connection as long as it may, one thinks between its
requests (a server that takes it for idle then breaks its next one), and the next is like the first.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from corepool.testing.sockets import connect

if TYPE_CHECKING:
    import socket
    from types import TracebackType
    from typing import Self

_KEEPS, _THINKS = 1, 2
_THINKING_S = 0.03

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Load:
    """Use as a context manager. `failures` are requests without an answer; `bodies` the answers."""

    def __init__(self, url: str, clients: int = 4) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number % 4,)) for number in range(clients)]
        self.requests = 0
        self.failures: list[str] = []
        self.bodies: set[bytes] = set()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, kind: int) -> None:
        sock: socket.socket | None = None
        while not self._stop.is_set():
            try:
                if sock is None:
                    sock = connect(self._url)
                sock.sendall(REQUEST)
                head, body = _receive(sock)
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))
                sock = None
                continue
            self.requests += 1
            self.bodies.add(body)
            if not head.startswith(b"HTTP/1.1 200"):
                self.failures.append(head.decode())
            if kind == _THINKS:
                self._stop.wait(_THINKING_S)
            if kind not in {_KEEPS, _THINKS} or b"\r\nConnection: close" in head:
                sock.close()
                sock = None
        if sock is not None:
            sock.close()


def _receive(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65_536)
        if not piece:
            raise ValueError(f"the connection ended after {data!r}")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65_536)
    return head, body
