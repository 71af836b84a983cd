"""A connection without TLS whose first bytes may be the preface of HTTP/2 (RFC 9113, 3.3 and 3.4: prior knowledge).

The preface begins like a request of HTTP/1 whose method is PRI, and its first byte like that of many others. Nothing
else asks for HTTP/2: `Upgrade: h2c` is deprecated (RFC 9113, 3.1), and ignored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http1.driver import Driver as Http1Driver
from corepool_http.http2.frames import PREFACE

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.http1.ending import Session
    from corepool_http.http2.shared import Shared


class Undecided:
    """Waits for the rest of a preface, then has the connection served by one version or the other."""

    is_between_requests = False

    def __init__(self, shared: Shared, conn: Connection[Session]) -> None:
        """Take the place of the session of HTTP/1, which has seen nothing yet."""
        assert isinstance(conn.session, Http1Driver)
        self._shared = shared
        self._conn = conn
        self._http1 = conn.session
        self._data = b""
        self._is_leaving = False

    def take(self, data: bytes) -> None:
        """Take the first bytes, or the next."""
        conn = self._conn
        data = self._data = self._data + data
        if data.startswith(PREFACE):
            driver = self._shared.begin(conn)
            if self._is_leaving:
                driver.leave()
            driver.take(data)
        elif PREFACE.startswith(data):
            conn.session = self
            conn.busy = True  # a request that has begun to come is served by this worker, even if it leaves
            conn.deadline(self._shared.service.options.header_timeout)
        else:
            conn.busy = False
            conn.session = self._http1
            self._http1.take(data)

    def receive(self) -> None:
        """Receive bytes from the client."""
        data = self._conn.recv()
        if data:
            self.take(data)
        elif self._conn.eof:
            self._conn.close()

    def room(self) -> None:
        """Do nothing: nothing was sent."""

    def on_deadline(self) -> None:
        """Close: the client is late."""
        self._conn.close()

    def leave(self) -> None:
        """Let the response that is being made be the last."""
        self._is_leaving = True
        self._http1.leave()

    def gone(self) -> None:
        """Do nothing: no request has come."""
