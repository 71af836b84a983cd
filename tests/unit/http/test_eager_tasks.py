"""A request's task begins inside the call that makes it, on every version of Python; else in the loop's next turn."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from corepool_http.apps.eager import start

if TYPE_CHECKING:
    from collections.abc import Callable

NAME: ContextVar[str] = ContextVar("name", default="outside")


class Noted:
    """A coroutine of two steps."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        assert asyncio.get_running_loop().is_running()
        self.task = asyncio.current_task()
        NAME.set("inside")
        self.steps.append("first")
        await asyncio.sleep(0)
        assert NAME.get() == "inside"
        self.steps.append("second")


def in_a_callback(
    call: Callable[[asyncio.AbstractEventLoop], asyncio.Task[None]], loop_class: Any = asyncio.SelectorEventLoop
) -> asyncio.Task[None]:
    """Call it outside of any task, as the reactor calls hooks, and run until its task has ended."""
    loop = loop_class()
    begun: asyncio.Future[asyncio.Task[None]] = loop.create_future()

    def called() -> None:
        try:
            begun.set_result(call(loop))
        except BaseException as error:  # noqa: BLE001  # the test's
            begun.set_exception(error)

    async def ended() -> asyncio.Task[None]:
        loop.call_soon(called)
        task = await begun
        await asyncio.wait([task])
        return task

    try:
        task: asyncio.Task[None] = loop.run_until_complete(ended())
    finally:
        loop.close()
    return task


def test_the_first_step_is_made_at_once() -> None:
    noted = Noted()

    def call(loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        task = start(noted.run(), loop)
        assert noted.steps == ["first"]
        assert noted.task is task
        assert NAME.get() == "outside", "its context is its own"
        assert not task.done()
        return task

    in_a_callback(call)

    assert noted.steps == ["first", "second"]


def test_a_task_that_ends_in_its_first_step_has_ended() -> None:
    async def quick() -> None: ...

    def call(loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        task = start(quick(), loop)
        assert task.done()
        return task

    in_a_callback(call)


def test_its_exception_is_the_tasks() -> None:
    async def failing() -> None:
        raise ValueError("of the application")

    with pytest.raises(ValueError, match="of the application"):
        in_a_callback(lambda loop: start(failing(), loop)).result()


def test_it_can_be_cancelled_after_its_first_step() -> None:
    noted = Noted()

    def call(loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        task = start(noted.run(), loop)
        task.cancel()
        return task

    assert in_a_callback(call).cancelled()
    assert noted.steps == ["first"]


def test_it_begins_later_while_no_loop_runs() -> None:
    noted = Noted()
    loop = asyncio.SelectorEventLoop()
    task = start(noted.run(), loop)
    assert noted.steps == []
    loop.run_until_complete(task)
    loop.close()
    assert noted.steps == ["first", "second"]


def test_it_may_be_started_by_a_task() -> None:
    noted = Noted()

    async def starts() -> asyncio.Task[None]:
        task = start(noted.run(), asyncio.get_running_loop())
        await task
        assert asyncio.current_task() is not task
        return task

    asyncio.run(starts())

    assert noted.steps == ["first", "second"]


class Interrupted(asyncio.SelectorEventLoop):
    """Another thread has its turn whenever a callback was added."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def call_soon(self, callback: Any, *args: Any, **context: Any) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, **context)
        super().call_soon(self.heard.append, "other")
        return handle


def test_what_other_threads_add_meanwhile_is_called_once() -> None:
    noted = Noted()

    def call(loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        assert isinstance(loop, Interrupted)
        loop.heard.clear()
        return start(noted.run(), loop)

    in_a_callback(call, Interrupted)

    assert noted.steps == ["first", "second"]
