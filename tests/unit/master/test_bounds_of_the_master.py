"""What clients can make the master keep: a test for each row of bounds.md."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from played_workers import DispatchMachine, PlayedChannel

from corepool.ipc.crash_slots import CRASH_SLOTS, STATE_BYTES, CrashSlots
from corepool.ipc.shapes import MAX_FDS
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "bounds.md"


class Machine(DispatchMachine):
    """A dispatch without workers."""

    channel = PlayedChannel


def limit_descriptors(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))


def test_connections_that_wait_for_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_descriptors(monkeypatch, 4 * MAX_FDS)
    machine = Machine()
    machine.begin(None, max_connections=1)
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(MAX_FDS)]
    try:
        for fd in fds:
            assert machine.dispatch.can_hold_more
            machine.dispatch.place(machine.bound, fd, None)
            assert machine.dispatch.holds_up(machine.bound.index), "no more of that socket is accepted"
        assert not machine.dispatch.can_hold_more, "of none"
    finally:
        for fd in fds:
            os.close(fd)
        machine.loop.close()


def test_records_of_connections_that_outlive_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_descriptors(monkeypatch, resource.RLIM_INFINITY)
    slots, loop = CrashSlots(), Loop(lambda: 0.0)
    try:
        recovery = Recovery(slots, loop, lambda _: None)
        assert all(recovery.take() for _ in range(CRASH_SLOTS - 1))
        assert recovery.take() == 0
        assert slots.write(1, bytes(STATE_BYTES))
        assert not slots.write(1, bytes(STATE_BYTES + 1))
    finally:
        loop.close()


def test_each_row_of_the_page_has_a_test() -> None:
    section = PAGE.read_text().partition("\n## The master\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    assert len(rows) == 2
    for row in rows:
        assert f"test_{row.replace(' ', '_')}" in globals()
