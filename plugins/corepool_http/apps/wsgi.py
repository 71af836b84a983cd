"""WSGI (PEP 3333): the application runs in the loop itself, or in threads of its own.

In the loop it costs least, and all other connections wait for it: right for an application that answers in a
millisecond. While it runs there, the loop is hidden from it: asyncio.run, async_to_sync and Django's ORM refuse to work
under a running loop.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

from corepool.streams import Mailbox, Threads
from corepool_http.apps.running_loop import hide, show
from corepool_http.apps.wsgi_environ import Environments, NotingEnvironments
from corepool_http.apps.wsgi_inline import InlineCall
from corepool_http.apps.wsgi_input import Reception, streamed
from corepool_http.apps.wsgi_slow import SlowCalls
from corepool_http.apps.wsgi_threads import ThreadCall
from corepool_http.clock import monotonic

if TYPE_CHECKING:
    from io import IOBase

    from corepool_http.apps.wsgi_call import Application
    from corepool_http.exchange import Exchange
    from corepool_http.options import HttpOptions
    from corepool_http.service import Service


class Wsgi:
    """Serves requests with a WSGI application."""

    serves_websockets = False

    def __init__(self, service: Service, options: HttpOptions, application: Application) -> None:
        self._application = application
        self._heads = service.heads
        self._environments = (NotingEnvironments if service.notes else Environments)(options, service.worker)
        self._call_soon = service.worker.loop.call_soon
        self._mailbox = Mailbox(service.worker.loop)
        gauge = service.worker.gauge_threads(options.threads)
        self._threads = Threads("http", self._mailbox, gauge) if options.threads else None
        self._slow = SlowCalls(options.slow_call) if options.slow_call else None
        self._slow_s: float = options.slow_call

    def serve(self, exchange: Exchange) -> None:
        body = exchange.request.body
        if body is None:
            self._begin(exchange, BytesIO())
        elif exchange.request.expects_continue and self._threads is not None:
            self._begin(exchange, streamed(exchange, self._mailbox))
        else:
            exchange.want_body()
            Reception(exchange, self._begin)

    def close(self) -> None:
        if self._threads is not None:
            self._threads.stop(0)

    def _begin(self, exchange: Exchange, content: IOBase) -> None:
        if self._threads is not None:
            self._begin_in_thread(self._threads, exchange, content)
            return
        environ = self._environments.of(exchange, content)
        slow = self._slow
        inline = InlineCall()
        inline.begin(exchange, self._heads, self._call_soon, slow)
        environ["wsgi.early_hints"] = inline.early_hints
        loop = hide()
        # The clock was read a moment ago, unless content was waited for.
        began_s = 0.0 if slow is None else exchange.began_s if exchange.request.body is None else monotonic()
        try:
            inline.call(self._application, environ)
        finally:
            show(loop)
        if slow is not None and (seconds := monotonic() - began_s) > self._slow_s:
            slow.report(exchange, seconds)

    def _begin_in_thread(self, threads: Threads, exchange: Exchange, content: IOBase) -> None:
        environ = self._environments.of(exchange, content)
        threaded = ThreadCall(exchange, self._heads, self._mailbox.post)
        environ["wsgi.early_hints"] = threaded.early_hints
        job = threads.submit(partial(threaded.call, self._application, environ))

        def withdraw() -> None:
            # Also called when the client ends its side, and still waits for its response.
            if exchange.ended and threads.withdraw(job):
                content.close()

        exchange.on_gone = withdraw
