"""Streams: their states as a table (RFC 9113, 5.1), and the codec's part of one.

A server that pushes nothing has no reserved streams. A stream on which the server has ended its side before the client
is reset at once (8.1), so half-closed (local) is a state of tunnels alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.stream_base import StreamBase

if TYPE_CHECKING:
    from corepool_http.message import Body, RefusedError, Request

# States.
OPEN = 0
ENDED_BY_CLIENT = 1  # half-closed (remote)
ENDED_BY_SERVER = 2  # half-closed (local)
CLOSED = 3

# Inputs, each with room for a state below.
CLIENT_SENDS = 0  # HEADERS, DATA
CLIENT_ENDS = 4  # one of these with END_STREAM
SERVER_ENDS = 8
RESET = 12

FAULT = 9
"""In the table: a stream error of type STREAM_CLOSED."""

# fmt: off
NEXT = bytes((
    OPEN, FAULT, ENDED_BY_SERVER, FAULT,  # CLIENT_SENDS
    ENDED_BY_CLIENT, FAULT, CLOSED, FAULT,  # CLIENT_ENDS
    ENDED_BY_SERVER, CLOSED, FAULT, FAULT,  # SERVER_ENDS
    CLOSED, CLOSED, CLOSED, CLOSED,  # RESET
))
# fmt: on
"""The state that follows, by `input | state`."""

# News of a stream, for the driver: bits of `BaseStream.news`.
REQUEST = 1
"""The head of its request is complete."""
CONTENT = 2
"""Its body has grown, is complete, or has failed."""
LOST = 4
"""It was reset, by the client or for its fault."""
ROOM = 8
"""Its send window was used up, and has opened."""
PRIORITY = 16
"""Urgency or incremental have changed."""


class BaseStream(StreamBase):
    """The codec's part of a stream. The driver derives its own from it, so that a request has one such object."""

    __slots__ = (
        "body",
        "credit",
        "expected",
        "incremental",
        "is_tunnel",
        "news",
        "number",
        "receive_window",
        "refusal",
        "request",
        "reset_by_client",
        "reset_code",
        "send_window",
        "state",
        "unread",
        "urgency",
        "whole_window",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = OPEN
        self.news = 0
        self.request: Request | None = None
        self.refusal: RefusedError | None = None
        """Why the request is not served, if so: it is to be answered."""
        self.body: Body | None = None
        """The request's, and of a tunnel the bytes that have arrived."""
        self.is_tunnel = False
        self.urgency = 3
        self.incremental = True
        self.send_window = 0
        """May be less than 0 (RFC 9113, 6.9.2)."""
        self.receive_window = 0
        """Bytes of content that the client may send now."""
        self.whole_window = 0
        """Those, and all that have come and that it was not told to be taken."""
        self.unread = 0
        """Bytes of content that the application has not taken yet."""
        self.credit = 0
        """Those that it has taken, and the client does not know of."""
        self.expected = -1
        """The Content-Length, -1 without one."""
        self.reset_code = -1
        self.reset_by_client = False

    @property
    def is_closed(self) -> bool:
        """True when neither side may send any more."""
        return self.state == CLOSED

    @property
    def is_open_to_send(self) -> bool:
        """True while the response may be sent."""
        return self.state <= ENDED_BY_CLIENT
