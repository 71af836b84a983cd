"""The machine and the versions that the figures were taken with; without them they mean nothing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from corepool.build import version_line

_PEERS = ("uvloop", "bjoern", "granian", "gunicorn", "uvicorn")
_NOT_INSTALLED = "not installed"


def describe() -> dict[str, str | int]:
    """Describe this machine: processor, cores, kernel, and every version that matters."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": sys.version.replace("\n", ""),  # with its build: distributions differ in how they optimise
        "corepool": version_line(_version("corepool")).removeprefix("corepool "),  # compiled or not
        **{peer: _version(peer) for peer in _PEERS},
        "redis": _first_number(["redis-server", "--version"]),
        "nginx": _first_number(["nginx", "-v"]),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()  # arm64 kernels give no model name


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return _NOT_INSTALLED


def _first_number(command: list[str]) -> str:
    """Run a program that tells its version, on whichever stream."""
    if shutil.which(command[0]) is None:
        return _NOT_INSTALLED
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - those above
    found = re.search(r"\d+\.\d[\d.]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"
