"""Threads that serve in place of the loop, such as those of a BlockingProtocol, and the way from them back into it.

Not a ThreadPoolExecutor: these are daemons, so one that never returns doesn't keep the process from ending; waiting
for them has a bound; and a job costs neither a Future nor its own call into the loop.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from corepool.forked import end_fork
from corepool.guards import HOOK_ERRORS
from corepool.logs.rate_limited import RateLimitedLog
from corepool.streams import events

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from corepool.spec.types import ThreadGauge

log = logging.getLogger(__name__)

_MAX_WITHDRAWN = 100
"""Void jobs in the queue that are not worth a sweep."""


class Mailbox:
    """Calls that threads want to have made in the loop. However many there are, the loop is woken once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_woken = False
        self._rate_limited = RateLimitedLog(log)

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` made in the loop, after those that were posted before. From any thread."""
        with self._lock:
            self._calls.append(call)
            if self._is_woken:
                return
            self._is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            pass  # the worker has ended

    def _deliver(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, deque()
            self._is_woken = False
        for call in calls:
            try:
                call()
            except HOOK_ERRORS as error:
                events.thread_call_failed.exception(self._rate_limited, error)


class Job:
    """A call that one thread makes, or that is withdrawn before."""

    __slots__ = ("_calls",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._calls = [call]

    @property
    def is_waiting(self) -> bool:
        """True until it is taken."""
        return bool(self._calls)

    def take(self) -> Callable[[], None] | None:
        """Return the call to the first caller, and None to all others."""
        try:
            return self._calls.pop()  # one step for the interpreter: of two threads, one gets it
        except IndexError:
            return None


class Threads:
    """A limited number of threads, made when needed. Jobs that find none wait in the order in which they came."""

    def __init__(self, name: str, mailbox: Mailbox, gauge: ThreadGauge) -> None:
        """Use as many threads as `gauge` says at most, and keep it true.

        :param name: their name, also in the log.
        """
        self._name = name
        self._mailbox = mailbox
        self._gauge = gauge
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._withdrawn = 0
        """Jobs in the queue that are void; an estimate, since threads drop some of them."""
        self._threads: list[threading.Thread] = []
        self._unfinished = 0  # counted in the loop's thread alone
        self._lack: str | None = None
        self._rate_limited = RateLimitedLog(log)

    def submit(self, call: Callable[[], None]) -> Job:
        """Have `call` run in a thread, in a context of its own; its exceptions are logged. From the loop's thread.

        :returns: a handle for `withdraw`.
        :raises RuntimeError: there is no thread, and the system has none left to start.
        """
        if self._unfinished >= len(self._threads) < self._gauge.most:
            self._start_one()
        self._count(1)
        if self._gauge.waiting:
            events.threads_busy(
                self._rate_limited,
                protocol=self._name,
                threads=len(self._threads),
                waiting=self._gauge.waiting,
                reason=self._lack,
            )
        job = Job(call)
        self._jobs.put(job)
        return job

    def withdraw(self, job: Job) -> bool:
        """Forget a job that no thread has taken yet; False: one has. From the loop's thread.

        Without this, clients that come and go while every thread is busy would make the queue as long as they like.
        """
        if job.take() is None:
            return False
        self._count(-1)
        self._withdrawn += 1
        if self._withdrawn > _MAX_WITHDRAWN and self._withdrawn > self._gauge.waiting:
            self._sweep()
        return True

    def _sweep(self) -> None:
        """Drop void jobs from the queue; the others keep their order, since only the loop's thread adds to it."""
        self._withdrawn = 0
        jobs: list[Job | None] = []
        try:
            while True:
                jobs.append(self._jobs.get_nowait())
        except Empty:
            pass
        for job in jobs:
            if job is None or job.is_waiting:
                self._jobs.put(job)

    def stop(self, patience_s: float) -> int:
        """Let the idle ones end, wait `patience_s` for the others, and give the number of those that still run."""
        give_up = time.monotonic() + patience_s
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        return sum(thread.is_alive() for thread in self._threads)

    def _start_one(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            if not self._threads:
                raise
            self._lack = str(error)  # those that exist do the jobs in turn
        else:
            self._lack = None
            self._threads.append(thread)

    def _work(self) -> None:
        pid = os.getpid()
        while True:
            try:
                if self._work_once(pid):
                    return
            except HOOK_ERRORS as error:  # the thread has to go on; another thread may raise one in it at any moment
                events.thread_job_failed.exception(log, error, protocol=self._name)

    def _work_once(self, pid: int) -> bool:
        """Do the next job; True: there are no more.

        :param pid: of the worker.
        """
        job = self._jobs.get()
        if job is None:
            return True
        call = job.take()
        if call is None:
            return False
        try:
            copy_context().run(call)
        finally:
            if os.getpid() != pid:
                end_fork()
            self._mailbox.post(self._finished)
        return False

    def _finished(self) -> None:
        self._count(-1)

    def _count(self, change: int) -> None:
        self._unfinished += change
        self._gauge.busy = min(self._unfinished, len(self._threads))
        self._gauge.waiting = self._unfinished - self._gauge.busy
