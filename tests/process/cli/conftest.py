"""The command line as a user runs it: a process of its own, in an empty folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

import pytest
from commands_run import run_corepool

if TYPE_CHECKING:
    import subprocess
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
        return run_corepool(*arguments, folder=tmp_path, environment=environment)

    return run
