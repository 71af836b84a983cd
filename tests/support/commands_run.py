"""The command `corepool`, run to its end."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from corepool.testing.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_corepool(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None
) -> subprocess.CompletedProcess[str]:
    """Run it in a folder, without a standard input; no traceback may come of it."""
    done = subprocess.run(  # noqa: S603 - the arguments are the test's own
        [sys.executable, "-m", "corepool", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
