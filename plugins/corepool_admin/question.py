"""Questions to a master about its pools, without blocking meanwhile."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

import corepool
from corepool import Duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool import Worker

_MAX_REPLY = 16 * 1024 * 1024


class MasterOptions(corepool.Options):
    """Which master is asked, and how long it may take."""

    control: Annotated[str, Field(min_length=1)] | None = None
    """Path of the control socket of another master to report on; unset: its own."""

    timeout: Annotated[Duration, Field(le=60)] = 1.0
    """After how long a master that doesn't answer is taken for dead; a minute at most."""


class Questions:
    """Questions to one master."""

    def __init__(self, worker: Worker, control: str | None, timeout_s: float) -> None:
        """Prepare to ask.

        :param control: the control socket of another master; None: that of the worker's own.
        """
        self._worker = worker
        self._control = control
        self.timeout_s = timeout_s

    async def status(self) -> Mapping[str, Any]:
        """Return the status.

        :raises TimeoutError: the master does not answer in time.
        :raises OSError: it does not answer.
        :raises ValueError: the answer is not a pool's.
        """
        question = self._worker.status() if self._control is None else ask(Path(self._control))
        return await asyncio.wait_for(question, self.timeout_s)

    def own_pool(self, status: Mapping[str, Any]) -> str | None:
        """Return the pool of the worker that asks, which is not reported on; None: it is the only one, or elsewhere."""
        return self._worker.pool if self._control is None and len(status["pools"]) > 1 else None


async def ask(path: Path) -> dict[str, Any]:
    """Return the status of the pool.

    :raises OSError: there is no answer.
    :raises ValueError: the answer is not a pool's.
    """
    reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_REPLY)
    try:
        writer.write(b'{"command": "status"}\n')
        reply = json.loads(await reader.readline())
    finally:
        writer.close()
    if not isinstance(reply, dict) or not isinstance(reply.get("result"), dict):
        raise ValueError("the answer is not a pool's")  # noqa: TRY004  # of a foreign process, not of our caller
    result: dict[str, Any] = reply["result"]
    return result
