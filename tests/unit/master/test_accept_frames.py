"""An accept costs as many Python calls with 64 workers as with 2: nothing is summed up over the workers."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import ExitStack
from types import FrameType, SimpleNamespace
from typing import Any, cast

import pytest

from corepool.ipc.channel import Channel
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.scoreboard import Cell, Scoreboard
from corepool.master.dispatch import Dispatch
from corepool.master.loop import Loop
from corepool.master.recovery import Recovery
from corepool.master.states import Event
from corepool.master.workers import WorkerEntry, Workers
from corepool.spec.dispatcher import Dispatcher, WorkerView
from corepool.spec.types import Address
from corepool_dispatch.least_connections import LeastConnections
from corepool_dispatch.power_of_two import PowerOfTwo
from corepool_dispatch.round_robin import RoundRobin
from corepool_dispatch.source_hash import SourceHash

ROUNDS = 50


class Master:
    """The dispatch of a pool, with real channels to workers that take each connection at once and close it."""

    def __init__(self, workers: int, strategy: Dispatcher, stack: ExitStack) -> None:
        loop = Loop()
        stack.callback(loop.close)
        table = Workers(workers)
        board = Scoreboard(1)
        listener = SimpleNamespace(
            name="l", dispatcher=strategy, dispatcher_name="s", settings=SimpleNamespace(keep_on_crash=False)
        )
        transport = SimpleNamespace(address=lambda _: Address("192.0.2.1", 1))
        self.bound = cast("Any", SimpleNamespace(index=0, listener=listener, transport=transport, slot=None))
        configuration = cast(
            "Any", SimpleNamespace(worker_name=str, bound=[self.bound], pool=SimpleNamespace(max_connections=100))
        )
        self.dispatch = Dispatch(
            loop, table, board, [self.bound], Recovery(CrashSlots(), loop, board.count), lambda _: None
        )
        stack.callback(self.dispatch.close)
        self.ends: list[tuple[WorkerEntry, Channel]] = []
        for slot in range(workers):
            ours, theirs = Channel.pair()
            stack.callback(ours.close)
            stack.callback(theirs.close)
            entry = WorkerEntry(
                slot=slot,
                pid=1000 + slot,
                generation=0,
                configuration=configuration,
                pidfd=-1,
                channel=ours,
                row=board.claim(0),
                view=WorkerView(slot, 1000 + slot),
                started_at=0.0,
            )
            table.add(entry)
            entry.happened(Event.BOOTED)
            self.ends.append((entry, theirs))
        self.dispatch.retry()

    def accept(self) -> None:
        """Do as an acceptor does with one connection."""
        self.dispatch.refresh()
        assert self.dispatch.has_room(self.bound.index)
        self.dispatch.place(self.bound, os.dup(0), ("192.0.2.1", 1))
        self.dispatch.flush()

    def take(self) -> int:
        """Have the workers take and close their connections; return how many there were."""
        taken = 0
        for entry, channel in self.ends:
            while (received := channel.receive()) is not None:
                for fd in received[1]:
                    os.close(fd)
                    taken += 1
                    for cell in (Cell.RECEIVED, Cell.ACCEPTED, Cell.CLOSED):
                        entry.row.cells[cell] += 1
        return taken


def frames_of(workers: int, strategy: Dispatcher) -> int:
    """Count the Python calls of the most expensive of some accepts."""
    most = 0
    with ExitStack() as stack:
        master = Master(workers, strategy, stack)
        for _ in range(ROUNDS):
            calls = 0

            def count(frame: FrameType, event: str, argument: object) -> None:  # noqa: ARG001
                nonlocal calls
                calls += event == "call"

            gc.disable()  # it may have callbacks in Python
            sys.setprofile(count)
            try:
                master.accept()
            finally:
                sys.setprofile(None)
                gc.enable()
            assert master.take() == 1
            most = max(most, calls)
    return most


@pytest.mark.parametrize("strategy", [LeastConnections, PowerOfTwo, RoundRobin, SourceHash])
def test_an_accept_costs_the_same_number_of_frames_with_any_number_of_workers(strategy: type[Dispatcher]) -> None:
    with_two = frames_of(2, strategy())

    assert frames_of(16, strategy()) == with_two
    assert frames_of(64, strategy()) == with_two
