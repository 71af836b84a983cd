"""The counts of requests: a refusal is counted, and is no observation of a duration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool.ipc.metric_cells import BLOCK, Layout
from corepool_http.counted import METRICS, Counted
from corepool_http.exchange import Exchange
from corepool_http.message import RefusedError, Request, RequestLine, Section
from corepool_http.options import HttpOptions
from corepool_http.responses import Heads
from corepool_http.service import Service
from corepool_http.stream_base import StreamBase

if TYPE_CHECKING:
    from collections.abc import Callable


class Cells:
    """A worker that publishes when it is told to."""

    requests = 0
    refresh: Callable[[], None]

    def __init__(self) -> None:
        self.cells = Layout(METRICS).cells(memoryview(bytearray(8 * BLOCK)).cast("Q"))

    def metrics_of(self, protocol: object, refresh: Callable[[], None]) -> Any:  # noqa: ARG002
        self.refresh = refresh
        return self.cells

    def total(self, name: str) -> int:
        self.refresh()
        return sum(self.cells[name])


class CountingStream(StreamBase):
    """The driver of one exchange; its responses end at a played clock."""

    closed = eof = congested = False
    heads = Heads("")

    def __init__(self, counted: Counted, now_s: float) -> None:
        request = Request(RequestLine("GET", b"/"), "1.1", Section([], keep_alive=True))
        self.exchange = Exchange(cast("Any", self), request, cast("Any", None), 0.0)
        self._counted = counted
        self._now_s = now_s

    @property
    def output(self) -> CountingStream:
        return self

    def begin(self, *_: object) -> None: ...

    def end(self) -> None:
        self._counted.ended(self.exchange, self._now_s)


@pytest.mark.parametrize("seconds", [0.0001, 15.0])
def test_a_refusal_is_counted_and_not_measured(seconds: float) -> None:
    worker = Cells()
    counted = Counted(cast("Any", worker), object())
    stream = CountingStream(counted, seconds)
    application: Any = SimpleNamespace(serves_websockets=False)
    options = HttpOptions(target="a:b", access_log="off")
    service = Service(options, cast("Any", worker), lambda _: application, counted)

    service.refuse(stream.exchange, RefusedError(408, "the header section took too long"))

    assert worker.total("http_requests") == 1
    assert worker.total("http_requests_in_flight") == 0
    assert worker.total("http_request_duration_seconds") == 0


def test_a_request_that_is_served_is_measured() -> None:
    worker = Cells()
    counted = Counted(cast("Any", worker), object())
    counted.served += 1
    CountingStream(counted, 15.0).exchange.fail(408)

    worker.refresh()
    *places, nanoseconds = worker.cells["http_request_duration_seconds"]
    assert (sum(places), nanoseconds) == (1, 15 * 10**9)
