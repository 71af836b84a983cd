"""The protocol `haproxy-agent`: HAProxy connects, is told how much this host can take, and goes.

Like `admin` it asks the master, so it belongs into a [[pool]] of its own.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from corepool import hookimpl
from corepool.streams import StreamProtocol
from corepool_admin import events
from corepool_admin.advice import Samples, advise
from corepool_admin.question import MasterOptions, Questions

if TYPE_CHECKING:
    from corepool import Worker
    from corepool.streams import Stream

log = logging.getLogger(__name__)


class HaproxyAgent(StreamProtocol):
    """Answer agent checks."""

    default_port = 9008

    try_it = "nc -N {host} {port}"

    class Options(MasterOptions):
        """Which pool, and how patient."""

        min_weight: Annotated[int, Field(ge=1, le=100)] = 10
        """The weight, in percent, of a host all of whose workers are busy; 100: weights stay as they are in HAProxy."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._samples = Samples()

    @hookimpl
    def on_worker_start(self, worker: Worker) -> None:
        super().on_worker_start(worker)
        self._questions = Questions(worker, self._options.control, self._options.timeout)

    async def handle(self, stream: Stream) -> None:
        """Answer; what HAProxy sends (`agent-send`) is not read."""
        stream.write(await self._line())

    async def _line(self) -> bytes:
        try:
            status = await self._questions.status()
            own = self._questions.own_pool(status)
            now = time.monotonic()
            advice = advise(status, own, now, self._samples.before(now), self._options.min_weight)
        except (OSError, ValueError):  # TimeoutError is an OSError
            return b"down #the master does not answer\n"
        except Exception as error:  # noqa: BLE001  # logged, with its traceback
            # A master of another version, which `control` may name, has another status.
            events.agent_check_failed.exception(log, error)
            return b"down #internal error\n"
        self._samples.add(advice.sample)
        return advice.line
