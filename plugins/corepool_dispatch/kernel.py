"""Kernel: the workers accept by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NoReturn

from corepool import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corepool import Incoming, WorkerView


class Kernel(Dispatcher):
    """Let every worker accept from the shared listening socket, woken one at a time by EPOLLEXCLUSIVE.

    Nothing is handed over, so a connection costs a third less. But the kernel doesn't balance: idle
    workers are woken last-in first, and of 400 connections made one after the other 397 went to one
    of four workers. So it is for floods of connections that carry one request each, where every
    worker is busy and the next one to be idle is the right one. Long-lived connections want
    least-connections.
    """

    worker_accepts: ClassVar[bool] = True
    rebalances: ClassVar[bool] = False

    def pick(self, workers: Sequence[WorkerView], incoming: Incoming) -> NoReturn:  # noqa: ARG002
        """Never called: the master doesn't accept on such a listener.

        :raises RuntimeError: always.
        """
        raise RuntimeError("dispatcher 'kernel' picks no workers: they accept by themselves")
