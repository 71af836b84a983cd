"""The worker's event loop: asyncio's, except that no task or callback can end it.

asyncio lets SystemExit and KeyboardInterrupt out of `run_forever`. In a program of one user that ends what the user
wants to end; in a worker it would cost the connections of all clients. Here an exception that leaves `run_forever` is
logged, and the loop is entered again: asyncio keeps the callbacks that were ready, and epoll reports again the events
that were not served.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from corepool.guards import mark_logged, was_logged
from corepool.hot.asyncio_selector import ReactorSelector
from corepool.logs.rate_limited import RateLimitedLog
from corepool.worker import events

if TYPE_CHECKING:
    import socket
    from collections import deque
    from collections.abc import Awaitable, Callable, Generator
    from selectors import SelectorKey

    from corepool.hot.reactor import Reactor

log = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

LongTurn: TypeAlias = "Callable[[float, float], None]"

_MAX_FAILURES = 100
_FAILURE_DELAY_S = 0.01
"""A loop whose poll has failed for a second is of no use, such as one whose epoll an application has closed: the master
replaces the worker."""

_CANCEL_S = 0.25
"""How long tasks may take to be cancelled at the end."""


class WorkerLoop(asyncio.SelectorEventLoop):
    """An event loop that only `end` ends, once `run_until_end` runs.

    Before that, while plugins start, it is asyncio's.
    """

    # Of asyncio's BaseEventLoop, in every version: callbacks that are ready, and timers.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    # Of asyncio's loop for Unix: the handlers that `close` takes back, and the wake-up descriptor's socket.
    _signal_handlers: dict[int, asyncio.Handle]
    _csock: socket.socket

    def __init__(self, reactor: Reactor) -> None:
        """Poll with `reactor`."""
        selector = ReactorSelector(reactor)
        selector.select = self._poll  # type: ignore[method-assign]
        super().__init__(selector)
        self._reactor = reactor
        self._rate_limited = RateLimitedLog(log)
        self._failures = 0
        """Polls that have failed since one has succeeded."""
        self._has_run = False
        self._is_over = False
        self._turned_at = math.inf
        """When the callbacks of this turn began."""
        self._longest_s = math.inf
        self._of_long_turns: list[tuple[float, LongTurn]] = []

    def run_until_end(self) -> None:
        """Run until `end` is called.

        :raises BaseException: polling fails again and again, so that nothing can be served.
        """
        self._has_run = True
        while not self._is_over:
            try:
                self.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                self._log(error)
            except BaseException:  # noqa: BLE001  # raised again, once it was too often
                self._bear()
            else:
                if not self._is_over:
                    events.loop_stop_ignored(self._rate_limited)

    def end(self) -> None:
        """Let `run_until_end` return when this turn of the loop is over."""
        self._is_over = True
        self.stop()

    def stop(self) -> None:
        """Have the loop end when this turn is over, as asyncio does."""
        super().stop()
        if not self.is_closed():
            super().call_soon(_nothing)  # the reactor polls until a callback is ready

    def on_long_turn(self, limit_s: float, call: LongTurn) -> None:
        """Have `call` called whenever asyncio's callbacks, tasks among them, have kept the loop for longer.

        Two readings of the clock a turn, so that no timer has to wake an idle worker to find out.

        :param call: called with when they began, by the loop's clock, and the seconds. Must not raise.
        """
        self._of_long_turns.append((limit_s, call))
        self._longest_s = min(self._longest_s, limit_s)

    def run_until_complete(self, future: Generator[Any, None, ResultT] | Awaitable[ResultT]) -> ResultT:
        """Run until `future` is done, as asyncio does.

        After `run_until_end`, no other task or callback can end that either.
        """
        if not self._has_run or self.is_closed() or _runs_in_this_thread():
            return super().run_until_complete(future)
        task: asyncio.Future[ResultT] = asyncio.ensure_future(future, loop=self)  # type: ignore[arg-type]
        while True:
            try:
                return super().run_until_complete(task)
            except (SystemExit, KeyboardInterrupt) as error:
                if task.done():
                    raise
                self._log(error)
            except BaseException:
                if task.done():
                    raise
                self._bear()

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: object) -> None:
        """Call `callback` when a signal has come, as asyncio does.

        Signals that come while the loop is stuck are lost once the wake-up descriptor is full, and not logged as
        errors: a terminal sends hundreds (SIGWINCH) while its window is resized and a debugger keeps the loop.
        """
        super().add_signal_handler(sig, callback, *args)
        signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)

    def retire_signal_handlers(self) -> None:
        """Have the signals that are handled here do nothing from now on, also once the loop is closed.

        `close` alone closes the wake-up descriptor first, so that a signal that comes then is reported as an error; and
        gives each signal its default effect, which ends the process before its exit functions have run.
        """
        signal.set_wakeup_fd(-1)
        self._signal_handlers.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report a failure, as asyncio does, unless it was logged already."""
        error = context.get("exception")
        if error is None or not was_logged(error):
            super().call_exception_handler(context)

    def _poll(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Poll for asyncio, until it has something to do.

        :param timeout: in seconds, until the first timer is due; None: there is none.
        """
        now = time.monotonic()
        began, self._turned_at = self._turned_at, math.inf
        if now - began > self._longest_s:
            self._tell_of_long_turn(began, now - began)
            timeout = 0.0  # the calls may have made callbacks ready
        events = self._reactor.poll_for(self._ready, self._scheduled, timeout)
        self._turned_at = time.monotonic()
        return events

    def _tell_of_long_turn(self, began: float, seconds: float) -> None:
        for limit_s, call in self._of_long_turns:
            if seconds > limit_s:
                call(began, seconds)

    def _bear(self) -> None:
        """Go on after a failure that is no callback's: asyncio logs what those raise, and lets out two classes only."""
        self._failures += 1
        if self._failures > _MAX_FAILURES:
            raise  # noqa: PLE0704  # what the caller handles
        events.loop_failed.exception(self._rate_limited, sys.exception())
        self.call_soon(self._forget_failures)
        time.sleep(_FAILURE_DELAY_S)

    def _forget_failures(self) -> None:
        self._failures = 0

    def _log(self, error: BaseException) -> None:
        if was_logged(error):  # of a task that another one has waited for
            return
        mark_logged(error)
        events.callback_failed.exception(log, error, kind=type(error).__name__)


def _nothing() -> None:
    """Do nothing."""


def _runs_in_this_thread() -> bool:
    """Return whether a loop runs here: asyncio refuses to run a second one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that plugins left running, as asyncio.run does, but don't wait for those that refuse to end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    tasks.add(loop.create_task(loop.shutdown_asyncgens()))
    done, unwilling = loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_S))
    for task in done:
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it: it is over, however it ended
    if unwilling:
        events.tasks_abandoned(log, tasks=len(unwilling))
