"""The rehearsal of a worker in the master, before the first fork, leaves nothing behind and takes no connection."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sources import source

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = source("programs/rehearse.py")


def test_a_rehearsal_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )

    assert done.stdout == "still there\n['TERM']\n", done.stderr
    assert done.returncode == 0
