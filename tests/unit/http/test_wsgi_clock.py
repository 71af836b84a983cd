"""The clock of calls in the loop: it is read only if long ones are to be logged."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from corepool_http.apps import wsgi, wsgi_inline
from corepool_http.apps.wsgi import Wsgi
from corepool_http.options import HttpOptions
from corepool_http.responses import Heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Exchange:
    """Takes a response, and shows what the application was called with."""

    ended = gone = congested = False
    on_gone: Callable[[], None] | None = None
    on_room: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.request = SimpleNamespace(body=None)
        self.content: list[bytes] = []

    def start(self, head: object) -> None: ...

    def flush(self) -> None: ...

    def write(self, data: bytes) -> None:
        self.content.append(data)

    def finish(self) -> None:
        self.ended = True

    def describe(self) -> str:
        return "GET /"


def stream(_: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [])
    for _piece in range(40):  # over several turns of the loop
        yield b"."


@pytest.mark.parametrize(("slow_call", "read"), [(0, set()), (1, {wsgi.__name__, wsgi_inline.__name__})])
def test_the_clock_is_read_only_if_there_is_a_limit(
    slow_call: float, read: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[str] = []
    for module in (wsgi, wsgi_inline):
        monkeypatch.setattr(module, "monotonic", lambda name=module.__name__: readings.append(name) or 0.0)
    turns: list[Callable[[], None]] = []
    options = HttpOptions(target="corepool_http.welcome:app", slow_call=slow_call)
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(loop, "call_soon", turns.append)
    worker: Any = SimpleNamespace(loop=loop, workers=1, gauge_threads=lambda _: None)
    application = Wsgi(
        cast("Any", SimpleNamespace(heads=Heads(""), worker=worker, notes=False)), options, cast("Any", stream)
    )
    monkeypatch.setattr(application, "_environments", SimpleNamespace(of=lambda *_: {}))
    exchange = Exchange()
    try:
        application.serve(cast("Any", exchange))
        while turns:
            turns.pop(0)()
    finally:
        loop.close()

    assert exchange.ended
    assert len(exchange.content) == 40
    assert set(readings) == read
