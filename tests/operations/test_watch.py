"""`--reload`: what changes in the folder is served, and nothing is left when the pool ends."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from http_client import get
from operated import APPLICATION, CONFIG, write

from corepool.testing.pool import PoolProcess
from corepool.testing.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def files(version: str) -> dict[str, str]:
    toml = CONFIG.format(workers=1, dispatcher="kernel", pool="")
    return {"corepool.toml": toml, "application.py": APPLICATION % version}


def start(*arguments: str) -> PoolProcess:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    return PoolProcess([*arguments, "--reload"], files=files("one"), environment=environment)


def test_a_change_is_served(tmp_path: Path) -> None:  # noqa: ARG001
    with start("run", "corepool.toml") as running:
        assert get(running, "/").body == b"one"
        for version in ("two", "three"):
            # The watcher may not watch yet: write until it has seen it.
            def is_served(version: str = version) -> bool:
                write(running, APPLICATION % version)
                return get(running, "/").body == version.encode()

            wait_until(is_served)
        write(running, "1 // 0\n")
        wait_until(lambda: "reload failed" in running.stderr)
        assert get(running, "/").body == b"three"
        running.stop()
        wait_until(lambda: not running.left_over())


def test_the_watcher_ends_with_a_master_that_is_killed() -> None:
    with start("serve", "http", "application:app", "-b", "tcp://127.0.0.1:0", "-w", "1") as running:
        wait_until(lambda: len(running.left_over()) == 3)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        wait_until(lambda: not running.left_over())
