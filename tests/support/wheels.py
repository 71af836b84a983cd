"""Wheels of this checkout, each built once for all tests of a run, however many processes they are spread over."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import corepool

if TYPE_CHECKING:
    import pytest

REPOSITORY = Path(corepool.__file__).parents[1]


def pure_wheel(factory: pytest.TempPathFactory) -> Path:
    """Return the wheel without machine code: made in a second, and complete otherwise."""
    return _wheel(factory, "0")


def compiled_wheel(factory: pytest.TempPathFactory) -> Path:
    """Return the wheel with machine code: that of this checkout, or it takes minutes."""
    return _wheel(factory, "kept")


def _wheel(factory: pytest.TempPathFactory, wish: str) -> Path:
    """Return the wheel, which the first that asks builds while the others wait.

    :param wish: COREPOOL_COMPILE, whatever it was as the tests themselves were installed.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of the whole run
    folder /= f"wheel-{wish}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("*.whl")):
            build_wheel(REPOSITORY, folder, COREPOOL_COMPILE=wish)
    (wheel,) = folder.glob("*.whl")
    return wheel


def build_wheel(project: Path, folder: Path, **environment: str) -> None:
    """Build a project with hatchling, and put its wheel into `folder`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=project, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
