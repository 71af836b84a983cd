"""Starts the application for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool_http.apps.asgi_cycle import Cycle

if TYPE_CHECKING:
    import asyncio

    from corepool_http.apps.asgi_messages import Application, Message
    from corepool_http.apps.asgi_tasks import Tasks
    from corepool_http.exchange import Exchange
    from corepool_http.responses import Heads

__all__ = ["Requests", "RequestsInPython"]


class RequestsInPython:
    """Those of one listener in one worker."""

    def __init__(self, application: Application, heads: Heads, loop: asyncio.AbstractEventLoop, tasks: Tasks) -> None:
        self._application = application
        self._heads = heads
        self._loop = loop
        self._tasks = tasks

    def serve(self, exchange: Exchange, scope: Message) -> None:
        """Call the application: its first step is made at once."""
        cycle = Cycle(self._loop)
        cycle.begin(exchange, self._heads, self._tasks)
        cycle.task = self._tasks.start(cycle.run(self._application, scope), exchange)


try:
    from corepool_http.apps._asgi_requests import Requests
except ImportError:  # corepool was installed without a compiler
    Requests = RequestsInPython  # type: ignore[misc]
