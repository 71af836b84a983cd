"""The rehearsal of a worker in the master, before the first fork.

The interpreter specialises code in place; done here, all workers share those pages instead of each copying them: an
idle worker has 3.05 MiB of its own instead of 3.65 (`python -m benchmarks memory`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing
from typing import TYPE_CHECKING

from corepool.ipc.channel import Channel
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.scoreboard import Scoreboard
from corepool.ipc.shared_area import SharedArea
from corepool.ipc.worker_spawn import WorkerSpawn
from corepool.plugins.listener import MAX_LISTENERS
from corepool.worker.main import WorkerProcess

if TYPE_CHECKING:
    from corepool.plugins.listener import Configuration

_TIMES = 10
"""Specialisation begins after 8 runs."""


def rehearse(configuration: Configuration) -> None:
    """Run what every worker runs first, except the plugins' part, and its signals. Leaves nothing behind.

    Runs in: the master, which handles signals as ever. (A worker's would cost more than all the rest, since asyncio
    lists the system's signals at each one; and functions that are registered for forks stay registered.)
    """
    scoreboard = Scoreboard(MAX_LISTENERS)
    shared = SharedArea()
    everything = frozenset(each.listener.name for each in configuration.bound)
    for _ in range(_TIMES):
        ours, theirs = Channel.pair()
        with closing(ours), closing(theirs):
            spawn = WorkerSpawn(
                slot=0,
                generation=0,
                workers=1,
                master_pid=os.getpid(),
                channel=theirs,
                row=scoreboard.claim(pool=0),
                scoreboard=scoreboard,
                crash_slots=CrashSlots(),
                shared=shared,
                paused=everything,  # or it would accept
            )
            worker = WorkerProcess(spawn, configuration)
            worker.join()
            worker.loop.call_soon(worker.loop.stop)
            worker.loop.run_forever()
            worker.loop.close()
            scoreboard.retire(spawn.row)
    asyncio.set_event_loop(None)
