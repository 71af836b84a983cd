"""The master: the pools of one configuration, and what concerns them all: signals, reload, upgrade, stop.

It never reads a byte that a client sent, starts no thread, and imports no application code; so it can fork
at any moment.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from select import EPOLLIN
from typing import TYPE_CHECKING, Literal

from corepool.errors import BootError, ControlError
from corepool.files.descriptors import release
from corepool.guards import HOOK_ERRORS
from corepool.ipc.crash_slots import CrashSlots
from corepool.ipc.messages import LogLevel, Pause, Resume, SocketIndex
from corepool.ipc.scoreboard import Scoreboard
from corepool.logs.log import reopen_logs
from corepool.logs.rate_limited import RateLimitedLog
from corepool.master.inheritance import Inheritance, Orders
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop
from corepool.master.oom import OomCounter
from corepool.master.orphans import reap_all
from corepool.master.pools import Pools
from corepool.master.recovery import Recovery
from corepool.master.reload import Reload
from corepool.master.status import PoolStatus, WorkersOfPool, listeners_status, totals, workers_status
from corepool.master.upgrade import Upgrade
from corepool.master.worker_pool import MAX_WORKERS, Surroundings
from corepool.plugins.listener import MAX_LISTENERS, sockets_of
from corepool.system.title import Title, count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.master.control import ControlSocket
    from corepool.master.notify import ServiceManager
    from corepool.master.signals import Signals
    from corepool.master.worker_pool import WorkerPool
    from corepool.plugins.listener import BoundSocket, Configuration

log = logging.getLogger(__name__)

_TITLE_INTERVAL_S = 1.0
_TELL_AGAIN_S = 1.0

_ORDERS = {
    signal.SIGHUP: "reload",
    signal.SIGUSR2: "upgrade",
    signal.SIGTTIN: "one worker more",
    signal.SIGTTOU: "one worker fewer",
}
"""What signals ask for that may be refused."""

_UNKNOWN = SocketIndex(-1)
"""Of a socket that is not ours any more."""

_LOG_LEVELS = ("debug", "info", "warning", "error")


class Master:
    """Owns the listening sockets and the pools. `start`, then `turn` until `finished`; or `run`, which does both."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        title: str | None,
        version: str,
        service_manager: ServiceManager,
        run_worker: Callable[[WorkerSpawn, Configuration], int],
        read_again: Callable[[Sequence[BoundSocket]], list[Configuration]],
        on_ready: Callable[[], None],
        inheritance: Inheritance,
    ) -> None:
        """Take over the bound sockets; nothing is forked yet.

        :param configurations: one for each pool.
        :param title: what the process title calls it; None: the names of the listeners.
        :param run_worker: what a forked child does; gives its exit status.
        :param read_again: returns the configuration to reload, which takes over the open sockets that it still wants;
            raises ConfigError, and nothing has changed then.
        :param on_ready: called once, when the first generation of every pool is ready.
        :param inheritance: what the master before this one has left, if there is one. That one serves until `on_ready`;
            nothing is accepted here before, since it would be lost if this one could not start.
        """
        self._name = title
        self._title = Title()
        self._rate_limited = RateLimitedLog(log)
        self._version = version
        self._service_manager = service_manager
        self._announce = on_ready
        self._loop = Loop()
        self._scoreboard = Scoreboard(MAX_LISTENERS)
        self._inheritance = inheritance
        bound = sockets_of(configurations) if inheritance.is_upgrade else []
        self._paused = {each.listener.name for each in bound}
        """Listeners from which nothing is accepted, by name: an operator has paused them, or an old master serves."""
        self._inherited = {each.socket.fileno(): each.index for each in bound}
        """The indices of the bound sockets that may be the old master's, by the descriptors that it knows them by."""
        crash_slots = CrashSlots()
        self._recovery = Recovery(crash_slots, self._loop)
        self._pools = Pools(
            Surroundings(
                self._loop,
                self._scoreboard,
                crash_slots,
                self._recovery,
                OomCounter(),
                self._paused,
                version,
                run_worker,
                owner=self,
            )
        )
        self._pools.serving = self._pools.make(configurations, generation=0)
        for pool in self._pools.serving.values():
            pool.scale_as_before(inheritance.orders.scaled)
        self._reload = Reload(self._pools, read_again, service_manager)
        self._upgrade = Upgrade(
            self._loop,
            self._on_upgraded,
            self._on_upgrade_failed,
            self._on_heirs_room,
        )
        self._configured_log_level = logging.getLogger().level
        configured, holds = inheritance.orders.log_level
        if configured == self._configured_log_level:  # else the file is newer than what an operator has said
            logging.getLogger().setLevel(holds)
        self._control: ControlSocket | None = None
        self._started_at = self._loop.time()
        self._boot_failure: str | None = None
        self._was_ready = False
        self._stopping = False

    @property
    def finished(self) -> bool:
        """True when the master was told to stop, every worker is gone, and so is what it passes on to an new_master."""
        new_master = self._upgrade.new_master
        passes_on = new_master is not None and (new_master.is_holding or self._inheritance.is_open)
        return self._stopping and not self._pools.workers and not passes_on

    def run(self, control: ControlSocket, signals: Signals) -> None:
        """Run the pools until they have stopped.

        :param signals: those of this process, installed already; signals that have come until now are obeyed as well.
        :raises BootError: the first generation could not start.
        """
        try:
            self._loop.watch(signals.fd, EPOLLIN, lambda _: self._on_signals(signals))
            self._control = control
            control.serve(self._loop)
            self.start()
            while not self.finished:
                self.turn()
        finally:
            self.close()
        if self._boot_failure is not None:
            raise BootError(self._boot_failure)

    def start(self) -> None:
        """Fork the first generation."""
        for pool in self._pools.serving.values():
            pool.start_plugins()
        # Once, before the first fork, and never thawed: a collection writes to every object's header, and each
        # write in the master takes a shared page away from the workers (12 MB a worker instead of 3). No
        # collection before it either: what it freed would be refilled by each worker, on pages of its own.
        gc.freeze()
        for pool in self._pools.serving.values():
            pool.open()
            pool.start()
        self._show_title()
        self._loop.repeat(lambda: _TITLE_INTERVAL_S, self._show_title)
        self._loop.repeat(lambda: _TELL_AGAIN_S, self._service_manager.retry)
        if (interval_s := self._service_manager.watchdog_interval_s) is not None:
            self._service_manager.watchdog()
            self._loop.repeat(lambda: interval_s, self._service_manager.watchdog)

    def turn(self, longest_s: float | None = None) -> None:
        """Serve due events and timers, waiting `longest_s` at most for them."""
        self._loop.turn(longest_s)

    def stop(self, *, fast: bool = False) -> None:
        """Stop every pool: drain the workers, or end them at once. A second fast stop kills them."""
        begins = not self._stopping
        if begins:
            self._stopping = True
            self._upgrade.give_up()
            self._reload.give_up()
            self._service_manager.stopping()
            log.info("pool stopping workers=%d fast=%s", self._pools.workers, fast)
        else:
            self._inheritance.close()  # it was kept open, to pass on to the new master what comes by it
        for pool in self._pools:
            if fast and not begins:
                pool.kill()
            else:
                pool.stop(fast=fast)
        if begins:
            for bound in self._pools.sockets():
                bound.close()

    def reload(self) -> None:
        """Read the configuration again, and replace every worker by one that imports the application anew.

        :raises ControlError: the pool is starting or stopping, or the configuration has mistakes.
        """
        if self._state != "ready":
            raise ControlError(f"the pool is {self._state}")
        self._upgrade.refuse_orders()
        self._reload.begin()

    def upgrade(self) -> None:
        """Execute a new master with the listening sockets; leave when it is ready, go on when it fails.

        :raises ControlError: it can't be done now, or not here.
        """
        if self._state != "ready" or self._reload.is_running:
            raise ControlError(f"the pool is {'reloading' if self._state == 'ready' else self._state}")
        self._upgrade.refuse_orders()
        serving = self._pools.serving.values()
        orders = Orders(
            frozenset(self._paused),
            {pool.name: pool.scaled for pool in serving},
            (self._configured_log_level, logging.getLogger().level),
        )
        timeout_s = 2 * max(pool.serving.pool.boot_timeout for pool in serving)
        self._upgrade.begin(self._pools.sockets(), orders, timeout_s)
        self._service_manager.reloading()

    def drain(self, slot: int, pool: str | None = None) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, or the pool is stopping.
        """
        return self._pools.named(pool).drain(slot)

    def scale(self, workers: int, pool: str | None = None) -> int:
        """Set the number of workers of a pool, within 1..MAX_WORKERS.

        :returns: how many there will be.
        :raises ControlError: there is no such pool, or several and none is named; the number is out of range; or an
            upgrade is under way.
        """
        self._upgrade.refuse_orders()
        if not 1 <= workers <= MAX_WORKERS:
            raise ControlError(f"workers: expected 1 to {MAX_WORKERS}, not {workers}")
        return self._pools.named(pool).scale(workers)

    def rebalance(self) -> int:
        """Have idle connections go from workers that hold more than their share to the others, in every pool.

        :returns: how many connections are asked for.
        """
        return sum(pool.rebalance() for pool in self._pools.serving.values())

    def pause_listener(self, name: str) -> None:
        """Leave new connections of a listener in the kernel's backlog; those that are open go on.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        self._tell_listener(name, Pause)
        self._paused.add(name)
        self._resume_fronts()
        log.info("listener paused name=%s", name)

    def resume_listener(self, name: str) -> None:
        """Take connections of a listener again.

        :raises ControlError: there is none of that name, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        self._tell_listener(name, Resume)
        self._paused.discard(name)
        self._resume_fronts()
        log.info("listener resumed name=%s", name)

    def set_log_level(self, level: str) -> None:
        """Log records of `level` and above: here, in every worker, and in those to come.

        :raises ControlError: there is no such level, or an upgrade is under way.
        """
        self._upgrade.refuse_orders()
        if level not in _LOG_LEVELS:
            raise ControlError(f"no log level {level!r}; there are: {', '.join(_LOG_LEVELS)}")
        logging.getLogger().setLevel(level.upper())
        for pool in self._pools:
            pool.tell(LogLevel(logging.getLogger().level))

    def status(self) -> PoolStatus:
        """Describe the pools."""
        now, pools = self._loop.time(), self._pools
        return PoolStatus(
            pid=os.getpid(),
            version=self._version,
            uptime=round(now - self._started_at, 3),
            generation=self._reload.generation,
            wanted=pools.wanted,
            state=self._state,
            upgrade=self._upgrade.status(),
            reload=self._reload.status(),
            pools=[WorkersOfPool(name=pool.name, state=pool.state, wanted=pool.workers.target) for pool in pools],
            listeners=[
                listener
                for pool in pools.serving.values()
                for listener in listeners_status(pool.serving, self._scoreboard, self._paused)
            ],
            workers=[worker for pool in pools for worker in workers_status(pool.name, pool.workers, now)],
            totals=totals(
                self._scoreboard,
                survived=self._recovery.survived,
                interrupted=self._recovery.interrupted,
                restarts=pools.restarts,
                redispatched=pools.redispatched,
            ),
        )

    def close(self) -> None:
        """Release everything, ending the workers that are left. Idempotent."""
        self._stopping = True
        self._inheritance.close()
        pools = list(self._pools)
        for pool in pools:
            pool.kill()
        while not self.finished:
            self._loop.turn()
        for pool in pools:
            pool.close()
        self._recovery.close()
        for bound in self._reload.every_socket():
            bound.close()
        if self._control is not None:
            self._control.remove_successors()
            self._control.close()
        self._upgrade.release()
        self._service_manager.close()
        self._loop.close()
        for pool in self._pools.serving.values():
            pool.stop_plugins()

    # --- listeners

    @property
    def _state(self) -> Literal["starting", "ready", "stopping"]:
        return "stopping" if self._stopping else "ready" if self._was_ready else "starting"

    def _tell_listener(self, name: str, order: type[Pause | Resume]) -> None:
        """Send an order to the workers that accept from a listener's sockets."""
        known: set[str] = set()
        for pool in self._pools.serving.values():
            for bound in pool.serving.bound:
                known.add(bound.listener.name)
                if bound.listener.name == name:
                    pool.tell(order(bound.index))
        if name not in known:
            raise ControlError(f"no listener named {name!r}; there are: {', '.join(sorted(known))}")

    def _resume_fronts(self) -> None:
        for pool in self._pools.serving.values():
            pool.acceptors.resume()

    # --- what pools tell (worker_pool.Owner)

    def on_pool_ready(self, pool: WorkerPool) -> None:
        """Note that a pool serves: all of them have to, at the start and in a reload."""
        if self._reload.brings(pool):
            self._reload.rolled(pool)
        elif not self._was_ready and all(each.is_ready for each in self._pools.serving.values()):
            self._was_ready = True
            self._accept_at_last()
            self._service_manager.ready(count(self._pools.wanted, "worker"))
            self._announce()

    def _accept_at_last(self) -> None:
        """Accept from the sockets that were left to the master before this one, except paused ones."""
        if self._inheritance.is_upgrade:
            for name in self._paused - self._inheritance.orders.paused:
                self._paused.discard(name)
                self._tell_listener(name, Resume)
            self._resume_fronts()

    def on_pool_failed(self, pool: WorkerPool, worker: str, report: str) -> None:
        """End what can't begin: the whole master, or the reload that has brought the pool."""
        if self._reload.brings(pool):
            self._reload.fail(f"worker {worker} could not boot: {report}")
        elif not self._was_ready:
            if self._boot_failure is None:
                rest = f"\n{report}" if "\n" in report else f" {report}"
                self._boot_failure = f"worker {worker} could not boot, so the pool does not start:{rest}"
            self.stop(fast=True)

    def on_rolled(self, pool: WorkerPool) -> None:
        """Note for the reload that a pool is ready for it."""
        self._reload.rolled(pool)

    def on_roll_failed(self, error: str) -> None:
        """End the reload for all."""
        self._reload.fail(error)

    def lasting_sockets(self) -> Collection[SocketIndex]:
        """List the sockets that will be served when the present reload or upgrade is over."""
        if self._upgrade.new_master is not None:
            return self._upgrade.new_master.sockets
        return [bound.index for bound in self._reload.lasting_sockets()]

    def on_stray(self, handoff: Handoff) -> None:
        """Pass a connection to the new master, or to the pool that serves its listener now; without one it is lost."""
        if self._upgrade.new_master is not None:
            self._recovery.free(handoff.crash_slot)
            self._upgrade.new_master.give(handoff)
            return
        for pool in self._pools.serving.values():
            if any(bound.index == handoff.socket for bound in pool.serving.bound):
                pool.dispatch.adopt([handoff])
                return
        self._rate_limited.warn("connections lost: nothing serves the listeners any more by which they came")
        self._recovery.free(handoff.crash_slot)
        release(handoff.fd)

    @property
    def is_holding(self) -> bool:
        """True while connections wait until the new master has room."""
        return self._upgrade.new_master is not None and self._upgrade.new_master.is_holding

    def on_empty(self, pool: WorkerPool) -> None:
        """Forget a pool that a reload has taken away."""
        self._pools.forget(pool)

    # --- upgrade

    def adopt(self, listening_fd: int, fd: int, frozen: bytes | None) -> None:
        """Go on with a connection that the master before us has left.

        :param listening_fd: the socket by which it came in. If that is not ours any more, the connection is lost.
        :param frozen: what its worker knew; None: it has met none.
        """
        # Not by who owns the descriptor now: the socket may be the new master's, or gone, and its number another's.
        self.on_stray(Handoff(fd, self._inherited.get(listening_fd, _UNKNOWN), None, frozen))

    @property
    def loop(self) -> Loop:
        """The loop that everything here runs in."""
        return self._loop

    def _on_upgraded(self, pid: int) -> None:
        self._service_manager.main_process(pid)
        for pool in self._pools:
            pool.acceptors.pause()
        for bound in self._reload.every_socket():
            # Not its transport's close: what belongs to it, such as a file, is the other's now.
            release(bound.socket.detach())
        self._stopping = True
        self._service_manager.stopping()
        self._pools.dismiss_serving()

    def _on_heirs_room(self) -> None:
        for pool in self._pools:
            pool.listen()

    def _on_upgrade_failed(self) -> None:
        if self._control is not None:
            self._control.remove_successors()
        self._service_manager.ready(f"{count(self._pools.wanted, 'worker')}; the last upgrade has failed")

    # --- signals, and what recurs

    def _on_signals(self, signals: Signals) -> None:
        for signum in signals.read():
            if signum == signal.SIGCHLD:
                if os.getpid() == 1:  # workers have pidfds
                    reap_all(lambda pid: any(pool.reap(pid) for pool in self._pools))
                continue
            log.info("signal received signal=%s", signal.Signals(signum).name)
            for pool in self._pools.serving.values():
                pool.call_hooks("on_signal", signum)
            self._obey(signum)

    def _obey(self, signum: int) -> None:
        try:
            if signum == signal.SIGTERM:
                self.stop()
            elif signum in (signal.SIGINT, signal.SIGQUIT):
                self.stop(fast=True)
            elif signum == signal.SIGHUP:
                self.reload()
            elif signum == signal.SIGUSR2:
                self.upgrade()
            elif signum == signal.SIGTTIN:
                self._scale_by(1)
            elif signum == signal.SIGTTOU:
                self._scale_by(-1)
            elif signum == signal.SIGUSR1:
                reopen_logs()
                for pool in self._pools:
                    pool.forward(signum)
        except ControlError as error:
            what = _ORDERS[signal.Signals(signum)]
            log.error("%s refused: %s", what, error)  # noqa: TRY400  # the operator's matter
        except HOOK_ERRORS:  # of plugins, in a reload; further signals may have come with this one
            log.exception("signal not obeyed signal=%s", signal.Signals(signum).name)

    def _scale_by(self, workers: int) -> None:
        self._upgrade.refuse_orders()
        for pool in self._pools.serving.values():
            pool.scale(pool.workers.target + workers)

    def _show_title(self) -> None:
        listeners = (bound.listener.name for bound in self._pools.sockets())
        name = self._name or ", ".join(dict.fromkeys(listeners))
        self._title.show(f"master [{name}] {count(self._pools.workers, 'worker')}")
