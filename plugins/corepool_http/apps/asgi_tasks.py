"""The requests that an ASGI application is serving, as tasks of the worker's loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from corepool.guards import HOOK_ERRORS
from corepool_http import events
from corepool_http.apps.asgi_messages import is_departure
from corepool_http.apps.eager import start
from corepool_http.clock import monotonic
from corepool_http.values import ResponseError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from corepool_http.apps.asgi_slow import Steps
    from corepool_http.exchange import Exchange

log = logging.getLogger(__name__)

_CANCEL_S = 0.25
"""How long tasks may take to be cancelled: one that refuses must not keep its worker."""


def log_failure(exchange: Exchange, error: BaseException, *, client_has_left: bool) -> None:
    """Log the exception that an application has ended with; after its client has left, it may say just that."""
    try:
        _log(exchange, error, client_has_left=client_has_left)
    except HOOK_ERRORS as raised:  # it does not let itself be looked at
        events.request_failed.exception(log, raised, request=exchange.describe())


def _log(exchange: Exchange, error: BaseException, *, client_has_left: bool) -> None:
    if client_has_left and is_departure(error):
        events.client_gone(log, request=exchange.describe(), error=error)
    elif isinstance(error, ResponseError):
        events.response_invalid.exception(log, error, request=exchange.describe(), reason=error)
    else:
        events.request_failed.exception(log, error, request=exchange.describe())


class Tasks:
    """Starts them, and ends them with the worker.

    A coroutine ends its task at its end, if it knows it: a callback of the task would take 1.5 us.
    """

    __slots__ = ("_loop", "is_closing", "running", "steps")

    def __init__(self, loop: asyncio.AbstractEventLoop, steps: Steps | None) -> None:
        """Prepare.

        :param steps: judges how long they keep the loop; None: nothing does.
        """
        self._loop = loop
        self.steps = steps
        self.running: dict[asyncio.Task[None], Exchange] = {}
        """Tasks that go on: the loop itself keeps no strong reference to them."""
        self.is_closing = False
        """The worker leaves: a task that is cancelled now has not been cancelled by its application."""
        if steps is not None:
            steps.running = self.running

    def start(self, coroutine: Coroutine[Any, Any, None], exchange: Exchange) -> asyncio.Task[None]:
        """Start a task; it may have ended when this returns."""
        steps = self.steps
        began = 0.0 if steps is None else monotonic()
        task = start(coroutine, self._loop)
        if steps is not None:
            steps.first(exchange, monotonic() - began)
        if not task.done():
            self.running[task] = exchange
        return task

    def end(self, task: asyncio.Task[None]) -> None:
        """Let go of one that is about to end."""
        exchange = self.running.pop(task, None)
        if exchange is not None and self.steps is not None:
            self.steps.ended(exchange)

    def close(self, grace_s: float) -> None:
        """Let tasks end by themselves for `grace_s`, then cancel them; don't wait for what refuses.

        Connections are closed already: what listens for that is told, and can clean up.
        """
        self._wait(grace_s)
        self.is_closing = True
        for task in self.running:
            task.cancel()
        self._wait(_CANCEL_S)
        if self.running:
            events.requests_abandoned(log, requests=len(self.running))

    def _wait(self, seconds: float) -> None:
        if not self.running:
            return
        try:
            done, _ = self._loop.run_until_complete(asyncio.wait(set(self.running), timeout=seconds))
        except HOOK_ERRORS as error:  # KeyboardInterrupt and SystemExit of any task leave the loop
            events.application_task_failed.exception(log, error)
        else:
            for task in done:
                self.running.pop(task, None)
