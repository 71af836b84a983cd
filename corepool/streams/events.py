"""Events of protocols that are written as one function for each connection."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.WARNING)
def threads_busy(*, protocol: str, threads: int, waiting: int, reason: str | None) -> None:
    """Connections or requests wait, since every thread serves one; `reason`: why the system starts no more threads."""


@event(logging.ERROR)
def thread_job_failed(*, protocol: str) -> None:
    """A job of a thread has raised an exception; the thread goes on."""


@event(logging.ERROR)
def thread_call_failed() -> None:
    """A call that a thread has passed to the loop has raised an exception."""


@event(logging.WARNING)
def handlers_cancelled(*, protocol: str, handlers: int) -> None:
    """The worker ends, and some handlers of connections have not ended in time; they are cancelled."""


@event(logging.WARNING)
def threads_abandoned(*, protocol: str, threads: int) -> None:
    """The worker ends, and some handlers of connections have not ended in time; their threads end with the worker."""


@event(logging.ERROR)
def handler_failed(*, listener: str, conn: int | None = None, peer: object) -> None:
    """The handler of a connection has raised an exception; the connection is aborted."""


@event(logging.DEBUG)
def handler_ended_by_peer(*, listener: str, conn: int | None = None, peer: object, error: object) -> None:
    """The client has closed or reset a connection that its handler was reading or writing."""
