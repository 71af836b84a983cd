"""The objects that the connections of HTTP/2 of one listener share in one worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.logs.rate_limited import RateLimitedLog
from corepool_http import events
from corepool_http.http2.codec import KnownBlocks
from corepool_http.http2.driver import Driver
from corepool_http.http2.windows import ExtraRoom

if TYPE_CHECKING:
    from corepool import Connection
    from corepool_http.http1.ending import Session
    from corepool_http.http2.codec import Failure
    from corepool_http.service import Service

log = logging.getLogger(__name__)


class Shared:
    """Begins connections of HTTP/2, and counts those that fail."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._known = KnownBlocks()
        self._extra = service.worker.shared(ExtraRoom)
        self._rate_limited = RateLimitedLog(log)

    def begin(self, conn: Connection[Session]) -> Driver:
        """Serve a connection by HTTP/2 from here on."""
        driver = Driver(self.service, self._known, self._extra, conn, self._failed)
        conn.session = driver
        return driver

    def _failed(self, conn: Connection[Session], failure: Failure) -> None:
        """Log and count a connection whose client has broken the protocol."""
        if failure.abuse:
            self.service.count_abuse(failure.abuse)
            events.http2_abused(
                self._rate_limited, conn=conn.id, peer=conn.peer, kind=failure.abuse, reason=failure.reason
            )
        else:
            events.http2_failed(log, conn=conn.id, peer=conn.peer, reason=failure.reason)
