"""The orders that came while a worker booted, and could not read them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.ipc.messages import LogLevel, Pause, Resume
from corepool.master.delivering import deliver

if TYPE_CHECKING:
    from collections.abc import Container

    from corepool.master.supervisor import Supervisor
    from corepool.master.workers import WorkerEntry


def catch_up(supervisor: Supervisor, entry: WorkerEntry, paused: Container[str]) -> None:
    """Send a worker the orders that hold.

    :param paused: the listeners that are paused, by name.
    """
    for bound in entry.configuration.bound:
        if bound.is_accepted_by(entry.slot):
            supervisor.tell(entry, (Pause if bound.listener.name in paused else Resume)(bound.index))
    supervisor.tell(entry, LogLevel(logging.root.level))
    deliver([entry])
