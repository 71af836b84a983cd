"""The metrics of HTTP: requests, their durations, and how many are under way.

Counting must cost next to nothing, so counts are kept in this process and copied to their cells with each heartbeat.
A worker whose application keeps its loop copies nothing meanwhile; `corepool_worker_heartbeat_age_seconds` shows it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from corepool import Metric

if TYPE_CHECKING:
    from corepool import Worker
    from corepool_http.exchange import Exchange

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
_STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Prometheus's own, and some below: a quick application answers within a millisecond."""

_FAST_S = _BOUNDS[0]

ABUSES = (
    "rapid_reset",
    "made_reset",
    "stream_flood",
    "settings_flood",
    "ping_flood",
    "empty_frames_flood",
    "priority_flood",
    "window_flood",
    "late_frames_flood",
    "unknown_frames_flood",
    "continuation_flood",
    "header_bomb",
)
"""Of clients of HTTP/2."""

METRICS = (
    Metric(
        "http_requests",
        "Requests that have been answered, or whose client has left (4xx), by method and class of status.",
        labels={"method": _METHODS, "status": _STATUSES},
    ),
    Metric(
        "http_request_duration_seconds",
        "From the end of a request's head to the end of its response; WebSockets and refused requests aside.",
        kind="histogram",
        bounds=_BOUNDS,
    ),
    Metric(
        "http2_abuse",
        "Connections of HTTP/2 that were closed, since their clients sent more of something than any client needs.",
        labels={"kind": ABUSES},
    ),
    Metric("http_requests_in_flight", "Requests that are being answered, and open WebSockets.", kind="gauge"),
)

_FIRST = {method: len(_STATUSES) * number - 1 for number, method in enumerate(_METHODS)}
"""The place of each method's counts, less the first class of status, which is 1."""
_OTHER = _FIRST.pop("other")


class Counted:
    """The counts of one listener in one worker."""

    __slots__ = ("_cells", "_counts", "_known", "_seconds", "_slow", "_unmeasured", "_worker", "refused", "served")

    def __init__(self, worker: Worker, protocol: object) -> None:
        """Begin at zero.

        :param protocol: the protocol of the listener; it declares `METRICS`.
        """
        self._worker = worker
        self._cells = worker.metrics_of(protocol, self._refresh)
        self.served = self.refused = 0
        """Requests that were begun: those that an application answers, and the others."""
        self._known = 0
        """Those that have ended and that the worker knows of."""
        self._counts = [0] * len(self._cells["http_requests"])
        self._slow = [0] * (len(_BOUNDS) + 1)
        """The durations above the first bound. Those below are the rest, and most."""
        self._seconds = 0.0
        self._unmeasured = 0
        """Refusals that have ended: a 408 would be an observation of the whole `header_timeout`."""

    def ended(self, exchange: Exchange, now_s: float) -> None:
        """Count one that was answered, or is lost. To be called once for each that has begun.

        :param now_s: the monotonic clock.
        """
        status = exchange.status
        first = _FIRST.get(exchange.request.line.method, _OTHER)
        self._counts[first + status // 100] += 1
        if exchange.is_refused:
            self._unmeasured += 1
            return
        seconds = now_s - exchange.began_s
        if seconds <= _FAST_S:
            self._seconds += seconds
        elif status >= 200:
            self._seconds += seconds
            self._slow[bisect_left(_BOUNDS, seconds)] += 1

    def count_abuse(self, kind: str) -> None:
        """Count a connection of HTTP/2 that was closed for abuse."""
        self._cells["http2_abuse"][ABUSES.index(kind)] += 1

    def _refresh(self) -> None:
        answered = sum(self._counts)
        self._worker.requests += answered - self._known
        self._known = answered
        under_way = self.served + self.refused - answered
        self._cells["http_requests_in_flight"][0] = under_way
        requests = self._cells["http_requests"]
        for place, count in enumerate(self._counts):
            requests[place] = count
        durations = self._cells["http_request_duration_seconds"]
        responses = answered - sum(self._counts[:: len(_STATUSES)]) - self._unmeasured
        for place, count in enumerate((responses - sum(self._slow), *self._slow[1:])):
            durations[place] = count
        durations[-1] = int(self._seconds * 1e9)
