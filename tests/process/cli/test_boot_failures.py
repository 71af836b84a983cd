"""Workers that can't boot: one sentence for a mistake of the user's, a traceback for one in the code."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from corepool.testing.pools import Pools

BIND = ("-b", "tcp://127.0.0.1:0", "-w", "2")
MODULE = "import asyncio\n\ndef function(): ...\n\nnumber = 5\n"
FAILS = "import application\n\ndef make():\n    raise KeyError(application.number)\n\n\nasync def main():\n    make()\n"
SWITCH = """
import pathlib

if pathlib.Path("broken").exists():
    raise RuntimeError("broken by the test")

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"fine"]
"""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http", "nosuch:app"), "target = 'nosuch:app': there is no module 'nosuch' in "),
        (("http", "application:nope"), "target = 'application:nope': module 'application' has no 'nope'"),
        (("http", "application:number"), "target = 'application:number': int can't be called"),
        (("asyncio", "nosuch:x"), "target = 'nosuch:x': there is no module 'nosuch' in "),
        (("socketserver", "application:number"), "no class derived from socketserver.BaseRequestHandler"),
        (("kv", "-o", "store=lmdb:/proc/nowhere"), "store lmdb:/proc/nowhere can't be opened"),
    ],
)
def test_a_mistake_of_the_users_is_one_sentence_told_once(
    pool: Pools, arguments: tuple[str, ...], sentence: str
) -> None:
    running = pool.serve(*arguments, *BIND, files={"application.py": MODULE}, wait=False, exit_status=3)

    assert running.wait() == 3
    assert running.stderr.count(sentence) == 1
    last = running.stderr.splitlines()[-1]
    assert last.startswith("corepool: worker ")
    assert sentence in last
    assert " File " not in running.stderr


@pytest.mark.parametrize(
    ("arguments", "source", "first", "last"),
    [
        (("http", "mine:app"), "import nosuch\n", 'mine.py", line 1, in <module>', "No module named 'nosuch'"),
        (("http", "mine:app"), "def f(:\n", 'mine.py", line 1', "SyntaxError: invalid syntax"),
        (("http", "mine:make()"), FAILS, 'mine.py", line 4, in make', "KeyError: 5"),
        (("asyncio", "mine:main"), FAILS, 'mine.py", line 8, in main', "KeyError: 5"),
    ],
)
def test_a_mistake_in_the_code_has_one_traceback_which_begins_there(
    pool: Pools, arguments: tuple[str, ...], source: str, first: str, last: str
) -> None:
    files = {"application.py": MODULE, "mine.py": source}
    running = pool.serve(*arguments, *BIND, files=files, wait=False, exit_status=3, traceback=True)

    assert running.wait() == 3
    assert running.stderr.count(last) == 1
    places = [line for line in running.stderr.splitlines() if line.startswith("  File ")]
    assert first in places[0]
    assert all(str(running.directory) in place for place in places)


def test_the_log_in_a_file_has_the_reason_too(pool: Pools) -> None:
    toml = """
[log]
file = "log.txt"
[[listener]]
name = "web"
bind = ["tcp://127.0.0.1:0"]
protocol = "http"
options = { target = "nosuch:app" }
"""
    running = pool(toml, wait=False, exit_status=3)

    assert running.wait() == 3
    assert (running.directory / "log.txt").read_text().count("there is no module 'nosuch'") == 1
    assert running.stderr.count("there is no module 'nosuch'") == 1


def test_a_worker_that_does_not_come_back_says_why_once(pool: Pools) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "COREPOOL_POOL_RESPAWN_DELAY": "1ms"}
    arguments = ("http", "switch:app", *BIND)
    running = pool.serve(*arguments, files={"switch.py": SWITCH}, environment=environment, traceback=True)
    (running.directory / "broken").touch()
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running.stderr.count('cause="boot failure"') >= 4)

    assert running.stderr.count("RuntimeError: broken by the test") == 1
    assert "corepool/worker" not in running.stderr

    (running.directory / "broken").unlink()
    wait_until(lambda: len(running.workers()) == 2)


def test_a_reload_that_fails_says_why_once(pool: Pools) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    arguments = ("http", "switch:app", *BIND)
    running = pool.serve(*arguments, files={"switch.py": SWITCH}, environment=environment, traceback=True)
    (running.directory / "switch.py").rename(running.directory / "away.py")
    running.send_signal(signal.SIGHUP)
    wait_until(lambda: running.status()["reload"]["state"] == "failed")

    assert running.stderr.count("there is no module 'switch'") == 1
    assert "Traceback" not in running.stderr
