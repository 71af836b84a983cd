"""New states of transports, such as certificates, as the master has read them: taken, and answered for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.ipc.messages import NewState, StateTaken
from corepool.ipc.sealed import read_sealed
from corepool.spec.transport import MAX_STATE_BYTES
from corepool.worker import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.plugins.listener import BoundSocket

log = logging.getLogger(__name__)


class Renewing:
    """Hands new states to the transports of one worker."""

    def __init__(self, worker: str, bound: Iterable[BoundSocket], say: Callable[[StateTaken], None]) -> None:
        """Prepare.

        :param say: sends a message to the master, as soon as it can be sent.
        """
        self._worker = worker
        self._bound = {each.index: each for each in bound}
        self._say = say

    def take(self, order: NewState, fds: Sequence[int]) -> None:
        """Serve with a state from now on; owns the descriptors."""
        bound = self._bound[order.socket]
        failure = ""
        try:
            bound.transport.refreshed(read_sealed(fds, MAX_STATE_BYTES))
        except HOOK_ERRORS as error:
            events.state_not_taken.exception(
                log, error, worker=self._worker, listener=bound.listener.name, url=bound.url
            )
            failure = f"{type(error).__name__}: {error}"
        finally:
            for fd in fds:
                release(fd)
        self._say(StateTaken(order.socket, order.number, failure))
