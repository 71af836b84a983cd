"""Events of accounts, CPUs, and accepting."""

from __future__ import annotations

import logging

from corepool.logs.event import event


@event(logging.WARNING)
def accept_paused(*, url: str, reason: object, retry_s: float) -> None:
    """The system is out of descriptors or memory; connections wait in the kernel's backlog until it is tried again."""


@event(logging.ERROR)
def accept_failed(*, url: str, retry_s: float) -> None:
    """accept4(2) has failed; it is tried again."""


@event(logging.WARNING)
def worker_not_pinned(*, slot: int, cpu: int, reason: str | None) -> None:
    """A worker can't be pinned to its CPU, which may be offline; it runs on any."""
