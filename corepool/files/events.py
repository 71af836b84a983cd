"""Events of files of lines, such as access logs."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.ERROR)
def lines_lost(*, path: str, reason: str) -> None:
    """Lines can't be written to a file, and are lost until it can be written again."""


@event(logging.WARNING)
def lines_written_again(*, path: str, lost: int) -> None:
    """Lines can be written to a file again; `lost`: those that were lost before."""


@event(logging.ERROR)
def lines_not_reopened(*, path: str, reason: object) -> None:
    """A file of lines can't be opened again after USR1; the open one stays in use."""
