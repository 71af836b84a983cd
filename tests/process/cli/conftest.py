"""The command line as a user runs it: a process of its own, in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Corepool(Protocol):
    """Runs `corepool` with arguments, to its end."""

    def __call__(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables of a user who runs nothing else: no control socket is at the default path."""
    return os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "COLUMNS": "100", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def corepool(tmp_path: Path, environment: dict[str, str]) -> Corepool:
    def run(*arguments: str, environment: Mapping[str, str] | None = environment) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(  # noqa: S603 - the arguments are the test's own
            [sys.executable, "-m", "corepool", *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run
