"""A fork for which the system has no descriptor left leaves nothing behind. Real processes."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psutil
import pytest

from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.scoreboard import Scoreboard
from corepool.ipc.shared_area import SharedArea
from corepool.master.loop import Loop
from corepool.master.oom import OomCounter
from corepool.master.supervisor import Supervisor
from corepool.master.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable


class Configuration:
    """The parts of a configuration that the supervisor uses."""

    bound = ()
    parts = frozenset[int]()
    pool = SimpleNamespace(max_connections=1)

    def worker_name(self, slot: int) -> str:
        return str(slot)


def fail(*_: object) -> int:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def nothing(*_: object) -> None:
    pass


def wait_for_a_signal(*_: object) -> int:
    signal.pause()
    return 0


@pytest.mark.parametrize("step", ["the pidfd", "watching the pidfd", "watching the channel"])
def test_a_worker_that_cannot_be_watched_is_ended(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor limit that is met just there can't be had: other threads of this process open files, too."""
    loop, board = Loop(), Scoreboard(1)
    workers = Workers(1)
    supervisor = Supervisor(
        0,
        loop,
        workers,
        board,
        CrashSlots(),
        SharedArea(),
        OomCounter(),
        wait_for_a_signal,
        nothing,
        nothing,
        frozenset(),
    )
    watch, calls = loop.watch, [0]

    def watch_once(fd: int, mask: int, handler: Callable[[int], None]) -> None:
        calls[0] += 1
        if calls[0] == (1 if step == "watching the pidfd" else 2):
            fail()
        watch(fd, mask, handler)

    if step == "the pidfd":
        monkeypatch.setattr(os, "pidfd_open", fail)
    else:
        monkeypatch.setattr(loop, "watch", watch_once)
    before = descriptors()
    children = set(psutil.Process().children())  # fixtures of other tests may have some
    with pytest.raises(OSError, match="Too many open files"):
        supervisor.spawn(0, 0, cast("Any", Configuration()))

    assert descriptors() == before
    assert set(psutil.Process().children()) <= children
    assert len(workers) == 0
    board.retire(board.claim(0))
    loop.close()


def descriptors() -> list[str]:
    return sorted(each.name for each in Path("/proc/self/fd").iterdir())
