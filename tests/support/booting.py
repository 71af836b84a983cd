"""An application that is asked, by files in the pool's folder, to boot slowly or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corepool.testing.pool import PoolProcess

APPLICATION = """
import os, time

open(f"booting-{os.getpid()}", "w").close()
if os.path.exists("one-by-one"):
    try:
        os.rmdir("next")
    except FileNotFoundError:
        while os.path.exists("one-by-one") and not os.path.exists(f"boot-{os.getpid()}"):
            time.sleep(0.01)
while os.path.exists("hold"):
    time.sleep(0.01)
if os.path.exists("fail"):
    raise RuntimeError("told to fail")

def app(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""


def tell(running: PoolProcess, word: str) -> None:
    """Ask for something.

    `hold`: no worker boots; `fail`: each one that boots fails; `one-by-one`: one boots each time the file `next` is
    made, and any one whose file `boot-PID` is.
    """
    path = running.directory / word
    if word == "next":
        path.mkdir()
    else:
        path.touch()


def tell_no_more(running: PoolProcess, word: str) -> None:
    (running.directory / word).unlink()


def has_begun(running: PoolProcess, pid: int) -> bool:
    """Return whether a worker is at its application."""
    return (running.directory / f"booting-{pid}").exists()


def starting(running: PoolProcess) -> list[int]:
    """List the workers that boot, and have come to the application."""
    pids = [each["pid"] for each in running.status()["workers"] if each["state"] == "starting"]
    return [pid for pid in pids if has_begun(running, pid)]
