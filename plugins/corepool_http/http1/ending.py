"""The end of a connection whose client may still be sending a request that is not read any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.http1.codec import RequestParser
    from corepool_http.message import Request

MAX_BUFFERED = 65_536
"""Bytes of a body that wait for their application before the client is no longer read."""

_SILENCE_S = 2.0
"""How long such a client may be silent: as long as one whose connection corepool has closed (worker/lingering.py)."""


class Session(Protocol):
    """The state of a connection, as the hooks see it."""

    @property
    def is_between_requests(self) -> bool:
        """True when nothing is under way: the next request may come."""

    def receive(self) -> None:
        """Receive bytes from the client."""

    def room(self) -> None:
        """Go on with output that had to wait until the client has read."""

    def on_deadline(self) -> None:
        """End the connection if its client is late."""

    def leave(self) -> None:
        """Let the response that is being made be the last."""

    def gone(self) -> None:
        """Notify the application: the connection is gone."""


class Ending:
    """Waits until the output has left, then for the client's next bytes, or its end, and closes; it serves no request.

    While output is left, the bytes are dropped: a client may read its response only when it has sent its request. After
    that they are left unread. They tell corepool, which closes the connection, that its client is still sending: it
    reads and drops the rest, so that no reset destroys the response. Before they come, HTTP alone knows of them.
    """

    is_between_requests = False

    def __init__(self, conn: Connection[Session]) -> None:
        """End our side."""
        self._conn = conn
        conn.busy = True  # a worker that leaves must not close it
        conn.send_eof()
        conn.resume()
        conn.deadline(_SILENCE_S)

    def receive(self) -> None:
        """Close: either the client is sending, or it has ended. While output is left, drop what it sends."""
        conn = self._conn
        if not conn.buffered:
            conn.close()
        elif conn.recv():
            conn.deadline(_SILENCE_S)
        elif conn.eof:  # not so if a layer has kept the bytes
            conn.close()

    def on_deadline(self) -> None:
        """Close: the client is silent. While output is left, it may be reading that: `write_timeout` bounds it."""
        if self._conn.buffered:
            self._conn.deadline(_SILENCE_S)
        else:
            self._conn.close()

    def room(self) -> None:
        """Do nothing: no more output is made."""

    def leave(self) -> None:
        """Do nothing: no request follows."""

    def gone(self) -> None:
        """Do nothing: the response has ended."""


def goes_on_behind(request: Request, parser: RequestParser) -> bool:
    """Report whether requests may follow a response that is due now.

    Content that is still to come is read and dropped, if it is known to be short: many clients send it in a packet of
    its own, and an application may answer without it. Longer content ends the connection, and so does that of a client
    that waits for 100 (Continue), and may never send it.
    """
    body = request.body
    if body is None or body.complete:
        return True
    return 0 < parser.left <= MAX_BUFFERED and not (body.failed or request.expects_continue)


def end_connection(conn: Connection[Session], parser: RequestParser) -> None:
    """Close; only our side while the client may be sending."""
    if conn.closed or conn.eof or (parser.body is None and parser.refusal is None):
        conn.close()
        return
    parser.drop()
    conn.session = Ending(conn)
