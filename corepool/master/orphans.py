"""Reaping processes that were orphaned to us: the duty of PID 1, which inherits every orphan of its container."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def reap_all(reap: Callable[[int], bool]) -> None:
    """Reap whatever has ended.

    :param reap: reaps a process by its pid if it is one of ours; False: it isn't.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        if not reap(ended.si_pid):
            os.waitpid(ended.si_pid, os.WNOHANG)
