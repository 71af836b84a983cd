"""The worker's loop alone: what tasks and callbacks raise doesn't end it, and `end` does, whatever else happens."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from select import EPOLLIN
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest

from corepool.hot.reactor import PythonReactor, Reactor
from corepool.worker.loop import WorkerLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Ready:
    """A source that is always ready, and calls what it was given each time."""

    def __init__(self, reactor: Reactor, call: Callable[[], object]) -> None:
        self.reading, self.writing = os.pipe()
        os.write(self.writing, b"x")
        self.call = call
        self.events = 0
        reactor.add(self.reading, self, EPOLLIN)

    def on_event(self, mask: int) -> None:  # noqa: ARG002
        self.events += 1
        self.call()

    def on_failure(self) -> None:
        raise AssertionError

    def flush(self) -> None: ...

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


def end_at_event(loop: WorkerLoop) -> None:
    reading, writing = os.pipe()
    os.close(writing)

    def on_event() -> None:
        loop.remove_reader(reading)
        os.close(reading)
        loop.end()

    loop.add_reader(reading, on_event)


@pytest.fixture
def reactor(request: pytest.FixtureRequest) -> Reactor:
    kind: type[Reactor] = getattr(request, "param", Reactor)
    return kind()


@pytest.fixture
def loop(reactor: Reactor) -> Iterator[WorkerLoop]:
    loop = WorkerLoop(reactor)
    yield loop
    loop.close()
    gc.collect()  # tasks that have failed tell of it when they go: here, and not in another test


def interrupt() -> NoReturn:
    raise KeyboardInterrupt("as asked")


async def leave() -> NoReturn:
    raise SystemExit("as asked")


def test_callbacks_that_were_ready_are_called_after_one_that_fails(loop: WorkerLoop) -> None:
    called: list[str] = []
    loop.call_soon(called.append, "before")
    loop.call_soon(interrupt)
    loop.call_soon(called.append, "after")
    loop.call_soon(loop.end)
    loop.run_until_end()

    assert called == ["before", "after"]


@pytest.mark.parametrize("first", [WorkerLoop.end, lambda _: interrupt()])
def test_the_end_is_not_lost_in_a_turn_that_fails(loop: WorkerLoop, first: Callable[[WorkerLoop], object]) -> None:
    loop.call_soon(first, loop)
    loop.call_soon(loop.end)
    loop.call_soon(interrupt)
    loop.run_until_end()

    assert not loop.is_running()


def test_the_loop_goes_on_when_something_else_stops_it(loop: WorkerLoop, caplog: pytest.LogCaptureFixture) -> None:
    def stop() -> None:
        loop.stop()
        loop.call_soon(loop.end)  # in the next turn, which there has to be

    loop.call_soon(stop)
    loop.run_until_end()

    assert "loop_stop_ignored" in caplog.text


def test_a_failure_of_polling_is_survived(loop: WorkerLoop, reactor: Reactor, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> NoReturn:
        loop.call_soon(loop.end)
        raise OSError("as asked")

    loop.call_soon(reactor.at_batch_end, fail)
    loop.run_until_end()

    assert "OSError: as asked" in caplog.text


def test_a_loop_that_can_not_poll_gives_up(loop: WorkerLoop) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError("as asked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._selector, "select", fail)  # type: ignore[attr-defined]  # noqa: SLF001
        with pytest.raises(OSError, match="as asked"):
            loop.run_until_end()


def test_a_task_is_told_of_once(loop: WorkerLoop, caplog: pytest.LogCaptureFixture) -> None:
    async def leave_once(text: str) -> NoReturn:  # no other test's tasks are collected meanwhile
        raise SystemExit(text)

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(leave_once("of a group"))

    loop.create_task(leave_once("alone"))
    loop.create_task(group()).add_done_callback(lambda _: loop.end())
    loop.run_until_end()
    gc.collect()

    assert caplog.text.count("SystemExit: of a group") == 1
    assert caplog.text.count("SystemExit: alone") == 1


def test_once_it_has_served_no_other_task_ends_an_awaited_one(loop: WorkerLoop) -> None:
    loop.call_soon(loop.end)
    loop.run_until_end()
    loop.create_task(leave())
    loop.call_soon(loop.stop)

    assert loop.run_until_complete(asyncio.sleep(0.001, "done")) == "done"
    with pytest.raises(SystemExit):
        loop.run_until_complete(leave())

    async def nest() -> None:
        waits = asyncio.sleep(0)
        try:
            loop.run_until_complete(waits)
        finally:
            waits.close()

    with pytest.raises(RuntimeError, match="already running"):
        loop.run_until_complete(nest())


def test_while_plugins_start_it_is_asyncios(loop: WorkerLoop) -> None:
    waits = loop.create_future()
    task = loop.create_task(leave())
    with pytest.raises(SystemExit):
        loop.run_until_complete(waits)
    assert isinstance(task.exception(), SystemExit)


def test_batches_of_our_sources_cost_no_turn_of_asyncio(
    loop: WorkerLoop, reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 0
    take_turn = loop._run_once  # type: ignore[attr-defined]  # noqa: SLF001

    def count() -> None:
        nonlocal turns
        turns += 1
        take_turn()

    monkeypatch.setattr(loop, "_run_once", count)
    loop.call_later(1000, interrupt)
    source = Ready(reactor, lambda: loop.end() if source.events == 50 else None)
    loop.run_until_end()
    source.close()

    assert source.events == 50
    assert turns == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda loop: loop.call_soon(loop.end),
        lambda loop: loop.call_later(0, loop.end),
        lambda loop: loop.call_later(0.001, loop.end),
        end_at_event,
        lambda loop: loop.create_task(asyncio.sleep(0)).add_done_callback(lambda _: loop.end()),
        lambda loop: loop.run_in_executor(None, loop.call_soon_threadsafe, loop.end),
        WorkerLoop.end,
    ],
    ids=["callback", "timer now", "timer", "reader", "task", "thread", "end"],
)
@pytest.mark.parametrize("timer_s", [None, 1000])
def test_asyncio_has_its_turn_while_a_source_is_always_ready(
    loop: WorkerLoop,
    reactor: Reactor,
    end: Callable[[WorkerLoop], object],
    timer_s: float | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if timer_s is not None:
        loop.call_later(timer_s, interrupt)
    source = Ready(reactor, lambda: end(loop) if source.events == 3 else None)
    loop.run_until_end()
    source.close()

    assert not caplog.records  # the time-out of the test, which the loop survives


@pytest.mark.parametrize("reactor", [PythonReactor], indirect=True)  # the other one has a clock that no test can set
def test_a_timer_is_not_late_by_the_batches_before_it(
    loop: WorkerLoop, reactor: Reactor, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the earliest one was cancelled meanwhile. A batch that began before the timer was due may go on."""
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)  # on a busy machine any two lines may be far apart
    timer = loop.call_later(0.02, loop.end)
    earlier = loop.call_later(0.01, interrupt)
    late: list[float] = []

    def on_event() -> None:
        nonlocal now
        earlier.cancel()
        now += 0.003
        if now >= timer.when():
            late.append(now)
            if len(late) > 1:  # the timer was not called in between
                loop.end()

    source = Ready(reactor, on_event)
    loop.run_until_end()
    source.close()

    assert len(late) <= 1
    assert not caplog.records


def test_a_long_turn_of_callbacks_is_told_of_and_no_timer_wakes_an_idle_loop(
    loop: WorkerLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, told = [100.0], list[tuple[float, float]]()
    monkeypatch.setattr("corepool.worker.loop.time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))

    def spend(seconds: float) -> None:
        now[0] += seconds

    loop.on_long_turn(0.25, lambda began, seconds: told.append((began, seconds)))
    loop.on_long_turn(1.0, lambda began, seconds: told.append((began, seconds)))
    for seconds in (0.25, 0.5, 2.0):
        loop.call_soon(spend, seconds)
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))

    assert told == [(100.25, 0.5), (100.75, 2.0), (100.75, 2.0)]
    assert not loop._scheduled  # noqa: SLF001
