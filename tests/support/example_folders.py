"""The folders in examples/, and how a stranger copies one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from corepool.testing.pool import PoolProcess

Start = Callable[..., PoolProcess]
Run = Callable[..., CompletedProcess[str]]

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGES = ("chat", "syslog", "rate-limit", "dispatcher")
"""Those that are installed; the others are run where they are."""

_MADE = {"__pycache__", "static", "db.sqlite3", "secret.key", "syslog.db", "dist", "build"}
"""Files that a run may have left at their top, or a compiler anywhere."""


def files_of(name: str) -> dict[str, Path]:
    """List the example's own files, by their paths inside of the folder."""
    folder = EXAMPLES / name
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        str(inside): path
        for inside, path in paths.items()
        if inside.parts[0] not in _MADE and inside.parent.name != "__pycache__"
    }


def copy(name: str, target: Path) -> Path:
    """Copy an example."""
    for inside, path in files_of(name).items():
        (target / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / inside)
    return target
