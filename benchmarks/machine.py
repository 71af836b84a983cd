"""The machine and the versions that the figures were taken with; without them they mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.servers import require


def describe() -> dict[str, str | int]:
    """Describe this machine: processor, cores, kernel, and every version that matters."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": sys.version.replace("\n", ""),  # with its build: distributions differ in how they optimise
        "corepool": _version("corepool"),
        "uvloop": _version("uvloop"),
        "redis": _redis_version(),
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
        return "not installed"


def _redis_version() -> str:
    command = [require("redis-server"), "--version"]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603
    return next((word.removeprefix("v=") for word in words if word.startswith("v=")), "unknown")
