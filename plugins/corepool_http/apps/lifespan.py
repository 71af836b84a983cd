"""ASGI's lifespan: the application's start and end in one worker.

What the application raises is told once, where it happens: a failure to start ends the boot (the master shows it),
anything later is logged.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import TYPE_CHECKING, Any, Literal

from corepool import SetupError
from corepool.logs.tracebacks import spell_place, spell_traceback
from corepool_http import events
from corepool_http.apps.asgi_messages import type_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from corepool_http.apps.asgi_messages import Application, Message

log = logging.getLogger(__name__)

_VERSION = {"version": "3.0", "spec_version": "2.0"}

_LAST_S = 0.25
"""How long it may go on after it has said that it failed to start, or has shut down."""

_BOOT_SHARE = 0.9
"""Of the rest of `boot_timeout`: after all of it the master would take the worker for hung, and could not say why."""


class LifespanError(SetupError):
    """The application can't start; `str()` is its own words."""


class _Phase(enum.Enum):
    STARTING = "startup"
    SERVING = "serving"
    ENDING = "shutdown"


class Lifespan:
    """The application's start and end in this worker."""

    def __init__(
        self, application: Application, loop: asyncio.AbstractEventLoop, mode: Literal["auto", "on", "off"]
    ) -> None:
        self._application = application
        self._loop = loop
        self._mode = mode
        self.state: dict[str, Any] | None = {}
        """The application's state for its requests; None: it has no lifespan."""
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._phase = _Phase.STARTING
        self._answer: asyncio.Future[Message] = loop.create_future()
        self._error: BaseException | None = None
        self._was_told = False
        """The application has received lifespan.startup."""
        self._speaks_otherwise = False
        """It has sent a message of another kind: it takes this for a request."""
        self._task: asyncio.Task[None] | None = None

    def start_up(self, boot_s: float) -> None:
        """Start the application.

        :param boot_s: the seconds that are left to the worker.
        :raises LifespanError: it can't start.
        """
        if self._mode == "off":
            self.state = None
            return
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = self._loop.create_task(self._run())
        answer = self._wait_for_answer(self._task, boot_s * _BOOT_SHARE)
        if answer is None and (self._task.done() or self._error is not None):
            error, self.state = self._error, None
            self._end(self._task)
            self._judge(error)
        elif answer is None:
            self._end(self._task)
            raise LifespanError(
                f"the application has not answered lifespan.startup within {boot_s * _BOOT_SHARE:.3g} s, nearly all"
                " that `boot_timeout` leaves to it"
            )
        elif answer["type"] == "lifespan.startup.failed":
            self._end(self._task)
            raise LifespanError(f"the application can't start: {self._reason(answer)}")

    def shut_down(self, seconds: float) -> None:
        """End the application, within `seconds` or a little more. What goes wrong is logged."""
        task = self._task
        if task is None or task.done():
            return
        self._phase, self._answer = _Phase.ENDING, self._loop.create_future()
        self._events.put_nowait({"type": "lifespan.shutdown"})
        answer = self._wait_for_answer(task, seconds)
        if answer is None and not task.done():
            events.lifespan_shutdown_overdue(log, seconds=round(seconds, 1))
            task.cancel()
        self._end(task)
        if answer is not None and answer["type"] == "lifespan.shutdown.failed":
            events.lifespan_shutdown_failed.report(log, self._reason(answer))
        elif self._error is not None:
            events.lifespan_shutdown_failed.exception(log, self._error)

    def _wait_for_answer(self, task: asyncio.Task[None], seconds: float) -> Message | None:
        """Return what the application has answered; None when it has ended, or time is up."""
        self._run_until_complete(
            asyncio.wait({self._answer, task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        )
        return self._answer.result() if self._answer.done() else None

    def _end(self, task: asyncio.Task[None]) -> None:
        """Let the application's task end; cancel it if it doesn't."""
        self._run_until_complete(asyncio.wait({task}, timeout=_LAST_S))
        if not task.done():
            task.cancel()
            self._run_until_complete(asyncio.wait({task}, timeout=_LAST_S))

    def _run_until_complete(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            self._loop.run_until_complete(coroutine)
        except (KeyboardInterrupt, SystemExit) as error:  # of a task that the application has started
            self._error = self._error or error

    def _judge(self, error: BaseException | None) -> None:
        """Decide about an application that has ended its lifespan without having answered.

        The specification has it served all the same: this is how an application without a lifespan looks. One that
        raises after it was told to start hardly is one.

        :raises LifespanError: it has to have a lifespan, or wants to end its worker.
        """
        if error is None:
            if self._mode == "on":
                raise LifespanError("the application has returned from its lifespan without lifespan.startup.complete")
        elif self._mode == "on" or not isinstance(error, Exception):
            raise LifespanError(f"the application failed to start:\n{spell_traceback(error)}")
        elif self._was_told and not self._speaks_otherwise:
            events.lifespan_startup_failed.exception(log, error)
        else:
            events.lifespan_missing(log, reason=f"{_one_line(error)}{spell_place(error)}")

    def _reason(self, answer: Message) -> str:
        """Return the application's own words for a failure, and the exception that came with them."""
        words = str(answer.get("message") or "").rstrip()
        error, self._error = self._error, None
        if error is None:
            return words or "it gave no reason"
        if words and str(error) in words:  # Starlette's message is the traceback
            return f"\n{words}" if "\n" in words else words
        return f"{words}\n{spell_traceback(error)}"

    # --- the application's side

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSION, "state": self.state}
        try:
            await self._application(scope, self._receive, self._send)
        except BaseException as error:
            is_cancelled = isinstance(error, asyncio.CancelledError) and self._task and self._task.cancelling()
            if is_cancelled or not self._loop.is_running():
                raise  # it is the worker's end, and nothing of the application's
            if self._phase is _Phase.SERVING:
                events.lifespan_failed.exception(log, error)
            else:
                self._error = error

    async def _receive(self) -> Message:
        event = await self._events.get()  # a third one never comes
        self._was_told = True
        return event

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0)  # a loop around a refused message must not keep the worker from its deadline
        kind = type_of(message)
        phase, _, outcome = kind.removeprefix("lifespan.").partition(".")
        if not kind.startswith("lifespan.") or outcome not in {"complete", "failed"}:
            self._speaks_otherwise = True
            raise RuntimeError(f"{kind!r} is no message of a lifespan")
        if phase != self._phase.value or self._answer.done():
            raise RuntimeError(f"{kind} was sent, but not when lifespan.{phase} was to be answered")
        self._answer.set_result(message)
        if kind == "lifespan.startup.complete":
            self._phase = _Phase.SERVING


def _one_line(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
