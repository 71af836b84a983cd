"""The master's reactions to signals."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

from corepool.errors import ControlError, ReloadError
from corepool.guards import HOOK_ERRORS
from corepool.logs.log import reopen_logs
from corepool.master import events
from corepool.master.orphans import reap_all

if TYPE_CHECKING:
    from corepool.master.master import Master
    from corepool.master.signals import Signals

log = logging.getLogger(__name__)

_ORDERS = {
    signal.SIGHUP: "reload",
    signal.SIGUSR2: "upgrade",
    signal.SIGTTIN: "one worker more",
    signal.SIGTTOU: "one worker fewer",
}
"""The orders by signal that may be refused."""


def obey(master: Master, signals: Signals) -> None:
    """Obey the signals that have come."""
    for signum in signals.read():
        if signum == signal.SIGCHLD:
            if os.getpid() == 1:  # workers have pidfds
                reap_all(lambda pid: any(pool.reap(pid) for pool in master.pools))
            continue
        events.signal_received(log, signal=signal.Signals(signum).name)
        for pool in master.pools.serving.values():
            pool.plugins.call("on_signal", signum)
        _obey(master, signum)


def _obey(master: Master, signum: int) -> None:
    try:
        if signum == signal.SIGTERM:
            master.stop()
        elif signum in (signal.SIGINT, signal.SIGQUIT):
            master.stop(fast=True)
        elif signum == signal.SIGHUP:
            master.reload()
        elif signum == signal.SIGUSR2:
            master.upgrade()
        elif signum == signal.SIGTTIN:
            master.live.scale_by(1)
        elif signum == signal.SIGTTOU:
            master.live.scale_by(-1)
        elif signum == signal.SIGUSR1:
            reopen_logs()
            for pool in master.pools:
                pool.supervisor.forward(signum)
    except ReloadError:
        pass  # it was logged
    except ControlError as error:
        events.order_refused(log, order=_ORDERS[signal.Signals(signum)], reason=error)
    except HOOK_ERRORS as error:  # of plugins, in a reload; further signals may have come with this one
        events.order_failed.exception(log, error, signal=signal.Signals(signum).name)
