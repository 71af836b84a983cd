"""What peers and loads need, and how to get it where it is missing."""

from __future__ import annotations

import importlib.util
import shutil

from benchmarks.results import BenchError

HOW = {
    "bjoern": "apt-get install libev-dev && pip install bjoern",
    "granian": "pip install granian",
    "hypercorn": "pip install hypercorn",
    "gunicorn": "pip install gunicorn",
    "matplotlib": "pip install matplotlib",
    "uvicorn": "pip install uvicorn",
    "uvloop": "pip install uvloop",
    "cc": "apt-get install gcc libc6-dev",
    "h2load": "apt-get install nghttp2-client",
    "memcached": "apt-get install memcached",
    "nginx": "apt-get install nginx-light",
    "hiredis": "pip install hiredis",
    "redis": "pip install redis",
    "redis-benchmark": "apt-get install redis-tools",
    "redis-server": "apt-get install redis-server",
    "wrk": "apt-get install wrk",
}
"""Programs and modules of Python, and the command that installs them, on Debian."""


class MissingError(BenchError):
    """Something is not installed; `what`, and `how` to get it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.how = HOW.get(what, "see benchmarks/README.md")
        super().__init__(f"{what} is not installed: {self.how}")


def is_there(what: str) -> bool:
    """Look for a program or a module."""
    return shutil.which(what) is not None or importlib.util.find_spec(what) is not None


def require(program: str) -> str:
    """Find a program of the system.

    :raises MissingError: it isn't installed.
    """
    path = shutil.which(program)
    if path is None:
        raise MissingError(program)
    return path
