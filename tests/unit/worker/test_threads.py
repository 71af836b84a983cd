"""The threads of a BlockingProtocol, where the system has none left."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from corepool.spec.types import ThreadGauge
from corepool.streams.threads import Mailbox, Threads

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_thread_that_can_not_be_started_is_not_counted(loop: asyncio.AbstractEventLoop) -> None:
    gauge = ThreadGauge(2)
    threads = Threads("Test", Mailbox(loop), gauge)
    done = [threading.Event() for _ in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="can't start"):
            threads.submit(lambda: None)
        assert gauge.busy == 0

    first = threading.Event()
    threads.submit(lambda: (first.wait(60), done[0].set())[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        threads.submit(done[1].set)  # waits for the only one
    assert not done[1].is_set()
    threads.submit(done[2].set)  # and a second one serves both
    assert done[2].wait(60)
    assert done[1].is_set()

    first.set()
    assert threads.stop(20) == 0
    assert done[0].is_set()


def test_a_job_that_raises_costs_no_thread(loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture) -> None:
    gauge = ThreadGauge(1)
    threads = Threads("Test", Mailbox(loop), gauge)
    done = threading.Event()

    def fail() -> None:
        raise SystemExit

    threads.submit(fail)
    threads.submit(done.set)

    assert done.wait(60)
    assert threads.stop(20) == 0
    loop.run_until_complete(asyncio.sleep(0))
    assert gauge.busy == 0
    assert "thread_job_failed protocol=Test" in caplog.text
