"""`corepool top` on a real terminal, or a pseudo one."""

from __future__ import annotations

import io
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from http_client import get
from operated import corepool, start
from rich.console import Console

from corepool.cli.top import View, sparkline
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools


@pytest.mark.parametrize(("encoding", "full"), [("utf-8", "\u2588"), ("ascii", "@")])
def test_it_shows_workers_and_rates_until_it_is_ended(pool: Pools, encoding: str, full: str) -> None:
    running = start(pool)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "corepool", "top", "--interval", "0.1", "--control", str(running.control)]
    environment = {**os.environ, "COLUMNS": "140", "LINES": "40", "TERM": "xterm", "PYTHONIOENCODING": encoding}
    process = subprocess.Popen(  # noqa: S603 - the command is the test's own
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    try:
        os.set_blocking(ours, False)

        def see(*words: str) -> bool:
            nonlocal shown
            try:
                shown += os.read(ours, 65_536)
            except BlockingIOError:
                get(running, "/")
            return all(word.encode() in shown for word in words)

        pids = [str(pid) for pid in running.workers()]
        wait_until(lambda: see("requests/s", "connections", "http", "least-connections", *pids, full))
        process.send_signal(signal.SIGINT)

        def has_ended() -> bool:
            # Its last output has to go somewhere: a terminal that is not read holds it for ever once it is full.
            with suppress(OSError):  # no output, or the process has gone
                os.read(ours, 65_536)
            return process.poll() is not None

        wait_until(has_ended)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_without_a_terminal_it_says_what_to_use(pool: Pools) -> None:
    done = corepool(start(pool), "top")
    assert done.returncode == 1
    assert "corepool status --json" in done.stderr


def test_rates_are_those_of_the_time_between(pool: Pools) -> None:
    running = start(pool, workers=1)
    view = View()
    status = running.status()
    status["totals"]["requests"] = status["workers"][0]["requests"] = 10
    view.add(status, 100.0)
    later = running.status()
    later["totals"]["requests"] = later["workers"][0]["requests"] = 40
    view.add(later, 102.0)
    shown = io.StringIO()
    Console(width=140, file=shown).print(view.render(140, 40))
    assert "15.0" in shown.getvalue()


def test_sparklines() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "
    assert sparkline([0, 1, 4, 8]) == " \u2581\u2584\u2588"
