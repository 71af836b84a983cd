"""The processes' titles: what `ps` and `top` show of them."""

from __future__ import annotations

from setproctitle import setproctitle


def entitle_master(workers: int) -> None:
    """Name this process as a master."""
    setproctitle(f"corepool: master, {workers} workers")


def entitle_worker(slot: int, generation: int, connections: int) -> None:
    """Name this process as a worker."""
    setproctitle(f"corepool: worker {slot}, generation {generation}, {connections} connections")
