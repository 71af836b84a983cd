"""The newest state of each transport, on its way to the workers that were forked before.

In sealed memory: keys never touch a disk. A worker that can't be told now is told later, since
its numbers show what it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.errors import ChannelFullError, GarbageError, PeerGoneError
from corepool.files.descriptors import release
from corepool.ipc.messages import NewState, StateTaken
from corepool.ipc.sealed import sealed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from corepool.master.workers import WorkerEntry
    from corepool.plugins.renewal import Renewal


def deliver(entries: Iterable[WorkerEntry]) -> None:
    """Send workers the states that they lack; what can't be sent now is sent when this is called again."""
    lent: dict[Renewal, int] = {}  # one file for all workers: a state may have megabytes
    try:
        for entry in entries:
            _deliver(entry, lent)
    finally:
        for fd in lent.values():
            release(fd)


def _deliver(entry: WorkerEntry, lent: dict[Renewal, int]) -> None:
    for bound in entry.configuration.bound:
        renewal, held = bound.renewal, entry.states.get(bound.index)
        if held is None or (held.sent >= renewal.number and not held.is_due):
            continue
        try:
            if renewal not in lent:
                lent[renewal] = sealed(renewal.state, "state")
        except OSError as error:  # out of descriptors or memory
            held.failure = f"the master has no memory or descriptor for it: {error.strerror or error}"
            return
        try:
            entry.channel.send(NewState(bound.index, renewal.number), [lent[renewal]])
        except (ChannelFullError, PeerGoneError):
            return
        held.note_sent(renewal.number)


def note_taken(entry: WorkerEntry, message: StateTaken) -> None:
    """Note that a worker serves with a state, or why it does not.

    :raises GarbageError: it was sent no such state.
    """
    held = entry.states.get(message.socket)
    if held is None or not held.taken <= message.number <= held.sent:
        raise GarbageError(f"it has taken state {message.number} of socket {message.socket}")
    if message.failure and message.number < held.sent:
        return  # a newer one is under way
    if message.failure:
        held.refuse(message.failure)
        return
    held.taken, held.failure = message.number, ""
