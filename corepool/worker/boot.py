"""A worker from its fork to its exit status."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from corepool.errors import SetupError
from corepool.worker.failing import report_failure
from corepool.worker.main import WorkerProcess
from corepool.worker.process import detach_from_master, die_with_master

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.plugins.listener import Configuration

EXIT_BOOT_FAILED = 3


def run_worker(
    spawn: WorkerSpawn, configuration: Configuration, keep: Iterable[int], log_config: str | None = None
) -> int:
    """Run a worker.

    Runs in: the forked child, with all signals blocked; the caller ends the process with what this returns.

    :param keep: descriptors to keep besides the standard three, the channel and the sockets it accepts on.
    :param log_config: a file for `logging.config`.
    :returns: the exit status.
    """
    own = [each.socket.fileno() for each in configuration.bound if each.is_accepted_by(spawn.slot)]
    detach_from_master([*keep, spawn.channel.fd, *own], spawn.master_pid)
    os.environ.pop("NOTIFY_SOCKET", None)  # systemd listens to the master only
    try:
        with _system_may_refuse():
            worker = WorkerProcess(spawn, configuration)
        configuration.identity.assume(spawn.slot)
        die_with_master(spawn.master_pid)
        if log_config is not None:
            from corepool.logs.log_config import configure_logging  # noqa: PLC0415  # few use it

            configure_logging(log_config)
        worker.start_plugins()
        # Objects that the plugins loaded stay: the collector need not look at them again and again.
        gc.freeze()
        with _system_may_refuse():
            worker.take_up_signals()
            worker.join()
    except BaseException as error:  # noqa: BLE001  # SystemExit of an application is a boot failure as well
        report_failure(spawn.channel, error)  # the master logs it: once, and not once per worker
        return EXIT_BOOT_FAILED
    return worker.run()


@contextmanager
def _system_may_refuse() -> Iterator[None]:
    """Report a lack of descriptors or memory in a line: it is no mistake in the code."""
    try:
        yield
    except OSError as error:
        raise SetupError(f"the system refuses what a worker needs: {error}") from error
