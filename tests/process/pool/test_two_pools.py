"""Nothing of a pool is module-level state: two fit in one process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sources import source

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = source("programs/two_pools.py")


def test_two_pools_serve_and_end_independently_in_one_process(tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - the program above
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )

    assert sorted(done.stdout.splitlines()) == ["[True, False]", "one one", "two two"], done.stderr
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
