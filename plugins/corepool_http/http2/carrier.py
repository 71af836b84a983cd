"""The parts of one connection that its streams use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.http2.codec import Codec
from corepool_http.http2.deadlines import Deadlines
from corepool_http.http2.output import SharedOutput

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.http1.ending import Session
    from corepool_http.http2.known import KnownBlocks
    from corepool_http.http2.streams import BaseStream
    from corepool_http.http2.windows import ExtraRoom
    from corepool_http.service import Service


class Carrier:
    """One connection, its codec, its output and its timer. The driver is one."""

    __slots__ = ("codec", "conn", "deadlines", "output", "service")

    def __init__(self, service: Service, known: KnownBlocks, extra: ExtraRoom, conn: Connection[Session]) -> None:
        self.conn = conn
        self.service = service
        options = service.options
        self.codec = Codec(
            options,
            known,
            self.make_stream,
            serves_websockets=service.serves_websockets,
            max_streams=options.http2_max_concurrent_streams,
            extra=extra,
        )
        self.deadlines = Deadlines(conn)
        self.output = SharedOutput(conn, self.codec, service, self.deadlines)

    def make_stream(self, number: int) -> BaseStream:
        """Make the stream of a request."""
        raise NotImplementedError

    def forget(self, stream: BaseStream) -> None:
        """Let go of a stream whose last frame was made."""
        raise NotImplementedError

    def lose(self, stream: BaseStream) -> None:
        """Let go of a stream that its client has given up, or that was reset."""
        raise NotImplementedError
