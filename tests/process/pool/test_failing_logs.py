"""Handlers and filters that an application adds to the log, and exceptions that can't be looked at, end no worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sources import metadata, source

from corepool.hot.reactor import Reactor
from corepool.testing.pools import Pools
from corepool.testing.waiting import wait_until
from corepool.worker.loop import WorkerLoop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corepool.testing.pool import PoolProcess

SOURCE = source("plugins/fails_in_logs.py")
FILES = {
    "fails.py": SOURCE,
    **metadata("fails", "[corepool.protocols]\nfails = fails:Fails\n"),
}
TOML = """
[pool]
workers = 1
[[listener]]
name = "fails"
bind = ["tcp://127.0.0.1:0"]
protocol = "fails"
"""


def ask(running: PoolProcess, words: str) -> bytes:
    with running.connect() as client:
        client.sendall(words.encode())
        return client.recv(100)


@pytest.fixture(scope="module", params=["own-filters", "a-handler"])
def broken(request: pytest.FixtureRequest) -> Iterator[PoolProcess]:
    with Pools() as pools:
        running = pools(TOML, files=FILES, traceback=True)
        ask(running, request.param)
        yield running


@pytest.mark.parametrize("place", ["hook", "callback"])
def test_the_server_logs_as_before(broken: PoolProcess, place: str) -> None:
    pid = ask(broken, "pid")
    ask(broken, f"{place} in-a-{place}")
    broken.wait_logged(f"SystemExit: in-a-{place}")

    assert ask(broken, "pid") == pid


def test_an_exception_that_can_not_be_looked_at_is_told_of(broken: PoolProcess) -> None:
    pid = ask(broken, "pid")
    for place in ("hook", "callback"):
        ask(broken, f"{place} odd")

    assert ask(broken, "pid") == pid
    wait_until(lambda: broken.stderr.count("can't be written") >= 2)


def test_an_application_meets_what_its_own_line_has_caused(pool: Pools) -> None:
    running = pool(TOML, files=FILES, traceback=True)
    ask(running, "a-handler")

    assert ask(running, "log") == b""
    running.wait_logged("Panic: there is no request")


def test_the_loop_marks_an_exception_that_takes_no_attributes(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(SystemExit):
        def __setattr__(self, name: str, value: object) -> None:
            raise KeyboardInterrupt

    loop = WorkerLoop(Reactor())

    async def leave() -> None:
        raise Odd("alone")

    task = loop.create_task(leave())
    task.add_done_callback(lambda _: loop.end())
    loop.run_until_end()
    loop.call_exception_handler({"message": "never retrieved", "exception": task.exception()})
    loop.close()

    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == 1
