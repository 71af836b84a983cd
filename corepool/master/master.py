"""The master: the pools of one configuration, and what concerns them all: signals, reload, upgrade, stop.

It never reads a byte that a client sent, starts no thread, and imports no application code; so it can fork
at any moment.
"""

from __future__ import annotations

import gc
import logging
import os
from select import EPOLLIN
from typing import TYPE_CHECKING, Literal

from corepool.errors import BootError, ControlError
from corepool.files.descriptors import release
from corepool.ipc.crash_slots import CrashSlots
from corepool.master import events
from corepool.master.bus import BusDirectory
from corepool.master.elsewhere import OtherPools
from corepool.master.inheritance import Inheritance, Orders
from corepool.master.live_orders import LiveOrders
from corepool.master.loop import Loop
from corepool.master.oom import OomCounter
from corepool.master.own_title import OwnTitle
from corepool.master.owner import Surroundings
from corepool.master.pools import Pools
from corepool.master.recovery import Recovery
from corepool.master.reloading import Reloading
from corepool.master.renewing import Renewing
from corepool.master.shutdown import Shutdown
from corepool.master.status import PoolStatus, WorkersOfPool, build_status, listeners_status, sums, workers_status
from corepool.master.upgrading import Upgrading
from corepool.plugins.listener import sockets_of
from corepool.system.title import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from corepool.config.runtime import Place
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.master.control import ControlSocket
    from corepool.master.notify import ServiceManager
    from corepool.master.owner import Failure, Member
    from corepool.master.totals import TotalCounts
    from corepool.plugins.listener import BoundSocket, Configuration

log = logging.getLogger(__name__)

_TELL_AGAIN_S = 1.0


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
        place: Place,
        totals: TotalCounts,
        shutdown_delay_s: float,
    ) -> None:
        """Take over the bound sockets; nothing is forked yet.

        :param configurations: one for each pool.
        :param title: its name in the process title; None: the names of the listeners.
        :param run_worker: called in a forked child; returns its exit status.
        :param read_again: returns the configuration to reload, which takes over the open sockets that it still wants;
            raises ConfigError, and nothing has changed then.
        :param on_ready: called once, when the first generation of every pool is ready.
        :param inheritance: from the master before this one, if there is one. That one serves until `on_ready`;
            nothing is accepted here before, since it would be lost if this one could not start.
        :param place: its name, and where commands find it.
        :param totals: owned from now on.
        :param shutdown_delay_s: how long everything is served after an order to stop.
        """
        self._place = place
        self._version = version
        self._service_manager = service_manager
        self._announce = on_ready
        self._loop = Loop()
        self._totals = totals
        self._inheritance = inheritance
        bound = sockets_of(configurations) if inheritance.is_upgrade else []
        self._paused = {each.listener.name for each in bound}
        """Listeners from which nothing is accepted, by name: an operator has paused them, or an old master serves."""
        crash_slots = CrashSlots()
        self._recovery = Recovery(crash_slots, self._loop, totals.board.count)
        self._bus = BusDirectory(self._loop, totals.board, inheritance.bus)
        self._upgrading = Upgrading(
            self._loop, totals, self._bus, self._on_upgraded, self._on_upgrade_failed, self._on_new_masters_room
        )
        self.elsewhere = OtherPools(
            {each.socket.fileno(): each.index for each in bound},
            self._upgrading,
            self._recovery,
            lambda: self.pools.serving.values(),  # noqa: PLW0108  # both are made below
            lambda: self._reloading.lasting_sockets(),  # noqa: PLW0108
        )
        self.pools = Pools(
            Surroundings(
                self._loop,
                totals.board,
                crash_slots,
                totals.shared.area,
                self._recovery,
                OomCounter(),
                self._bus,
                self._paused,
                version,
                run_worker,
                owner=self,
                elsewhere=self.elsewhere,
            )
        )
        self.pools.serving = self.pools.make(configurations, generation=0)
        for pool in self.pools.serving.values():
            pool.scale_as_before(inheritance.orders.scaled)
        self._title = OwnTitle(self._loop, self.pools, title)
        self.renewing = Renewing(self._loop, self.pools)
        self._reloading = Reloading(self.pools, read_again, service_manager)
        self.live = LiveOrders(self.pools, self._upgrading, self._paused)
        self._configured_log_level = logging.getLogger().level
        configured, holds = inheritance.orders.log_level
        if configured == self._configured_log_level:  # else the file is newer than what an operator has said
            logging.getLogger().setLevel(holds)
        self._control: ControlSocket | None = None
        self._started_at = self._loop.time()
        self._boot_failure: str | None = None
        self._was_ready = False
        self._shutdown = Shutdown(self._loop, shutdown_delay_s, self.stop)

    @property
    def finished(self) -> bool:
        """True when the master was told to stop, every worker is gone, and so is what it passes on to a new master."""
        new_master = self._upgrading.new_master
        passes_on = new_master is not None and (new_master.is_holding or self._inheritance.is_open)
        return self._shutdown.has_begun and not self.pools.workers and not passes_on

    def run(self, control: ControlSocket, signals_fd: int, obey: Callable[[], None]) -> None:
        """Run the pools until they have stopped.

        :param signals_fd: readable when signals have come, those before this call included.
        :param obey: obeys them.
        :raises BootError: the first generation could not start.
        """
        try:
            self._loop.watch(signals_fd, EPOLLIN, lambda _: obey())
            self._control = control
            control.start(self._loop)
            self.start()
            while not self.finished:
                self.turn()
        finally:
            self.close()
        if self._boot_failure is not None:
            raise BootError(self._boot_failure)

    def start(self) -> None:
        """Fork the first generation."""
        for pool in self.pools.serving.values():
            pool.plugins.start(pool.serving)
        # Once, before the first fork, and never thawed: a collection writes to every object's header, and each
        # write in the master takes a shared page away from the workers (12 MB a worker instead of 3). No
        # collection before it either: what it freed would be refilled by each worker, on pages of its own.
        gc.freeze()
        for pool in self.pools.serving.values():
            pool.open()
            pool.start()
        self.renewing.start()
        self._title.start()
        self._loop.repeat(lambda: _TELL_AGAIN_S, self._service_manager.retry)
        if (interval_s := self._service_manager.watchdog_interval_s) is not None:
            self._service_manager.watchdog()
            self._loop.repeat(lambda: interval_s, self._service_manager.watchdog)

    def turn(self, longest_s: float | None = None) -> None:
        """Serve due events and timers, waiting `longest_s` at most for them."""
        self._loop.turn(longest_s)

    def stop(self, *, fast: bool = False) -> None:
        """Stop every pool: drain the workers, after the delay, or end them at once. A second fast stop kills them."""
        if not self._shutdown.is_ordered:
            self._upgrading.give_up()
            self._reloading.give_up()
            self._service_manager.stopping()
        if self._shutdown.order(at_once=fast or not self._was_ready):
            return
        begins = self._shutdown.begin()
        if begins:
            events.pool_stopping(log, workers=self.pools.workers, fast=fast)
        else:
            self._inheritance.close()  # it was kept open, to pass on to the new master what comes by it
        for pool in self.pools:
            if fast and not begins:
                pool.kill()
            else:
                pool.stop(fast=fast)
        if begins:
            for bound in self.pools.sockets():
                bound.close()

    def reload(self) -> None:
        """Read the configuration again, and replace every worker by one that imports the application anew.

        :raises ControlError: the pool is starting or stopping, or an upgrade is under way.
        :raises ReloadError: the configuration has mistakes, which were logged.
        """
        if self._state != "ready":
            raise ControlError(f"the pool is {self._state}")
        self._upgrading.refuse_orders()
        self._reloading.begin()

    def upgrade(self) -> None:
        """Execute a new master with the listening sockets; leave when it is ready, go on when it fails.

        :raises ControlError: it can't be done now, or not here.
        """
        if self._state != "ready" or self._reloading.is_running:
            raise ControlError(f"the pool is {'reloading' if self._state == 'ready' else self._state}")
        self._upgrading.refuse_orders()
        serving = self.pools.serving.values()
        orders = Orders(
            frozenset(self._paused),
            {pool.name: pool.scaled for pool in serving},
            (self._configured_log_level, logging.getLogger().level),
        )
        told = {"orders": orders.tell(), "place": self._place.tell()}
        self._upgrading.begin(self.pools.sockets(), told, 2 * max(pool.serving.pool.boot_timeout for pool in serving))
        self._service_manager.reloading()

    def status(self) -> PoolStatus:
        """Describe the pools."""
        now, pools = self._loop.time(), self.pools
        self._totals.refresh()
        return PoolStatus(
            name=self._place.name,
            pid=os.getpid(),
            configuration=self._place.file,
            version=self._version,
            build=build_status(self._version),
            uptime=round(now - self._started_at, 3),
            generation=self._reloading.generation,
            wanted=pools.wanted,
            state=self._state,
            upgrade=self._upgrading.status(),
            renewal=self.renewing.status(),
            reload=self._reloading.status(),
            pools=[WorkersOfPool(name=pool.name, state=pool.state, wanted=pool.workers.target) for pool in pools],
            listeners=listeners_status([pool.serving for pool in pools.serving.values()], self._totals, self._paused),
            workers=[worker for pool in pools for worker in workers_status(pool.name, pool.workers, now)],
            totals=sums(self._totals),
        )

    def close(self) -> None:
        """Release everything, ending the workers that are left. Idempotent."""
        self._shutdown.begin()
        self._inheritance.close()
        pools = list(self.pools)
        for pool in pools:
            pool.kill()
        while not self.finished:
            self._loop.turn()
        for pool in pools:
            pool.close()
        self._recovery.close()
        for bound in self._reloading.every_socket():
            bound.close()
        if self._control is not None:
            self._control.remove_new_masters_file()
            self._control.close()
        self._upgrading.release()
        self._bus.close()
        self._totals.close()
        self._service_manager.close()
        self._loop.close()
        for pool in self.pools.serving.values():
            pool.plugins.stop()

    @property
    def _state(self) -> Literal["starting", "ready", "stopping"]:
        return "stopping" if self._shutdown.is_ordered else "ready" if self._was_ready else "starting"

    # --- of pools (owner.Owner)

    def on_ready(self, pool: Member) -> None:  # noqa: ARG002  # all of them have to
        """Note that a pool serves: all of them have to, at the start and in a reload."""
        if self._was_ready:
            self._reloading.commit_if_ready()
        elif all(each.is_ready for each in self.pools.serving.values()):
            self._was_ready = True
            self._accept_at_last()
            self._service_manager.ready(count(self.pools.wanted, "worker"))
            self._announce()

    def on_failed(self, pool: Member, failure: Failure) -> None:  # noqa: ARG002  # one is enough
        """End what can't begin: the whole master, or the reload for all pools."""
        if self._was_ready:
            self._reloading.fail(failure)
            return
        if self._boot_failure is None:
            rest = f"\n{failure.report}" if "\n" in failure.report else f" {failure.report}"
            self._boot_failure = f"worker {failure.worker} {failure.what}, so the pool does not start:{rest}"
        self.stop(fast=True)

    def on_empty(self, pool: Member) -> None:
        """Forget a pool that a reload has taken away."""
        self.pools.forget(pool)

    def _accept_at_last(self) -> None:
        """Accept from the sockets that were left to the master before this one, except paused ones."""
        if self._inheritance.is_upgrade:
            self.live.resume_listeners(self._paused - self._inheritance.orders.paused)

    def on_old_master_gone(self) -> None:
        """Go on with its counts."""
        self._totals.take(each.listener for each in self.pools.sockets())

    @property
    def loop(self) -> Loop:
        """The loop that everything here runs in."""
        return self._loop

    def _on_upgraded(self, pid: int) -> None:
        self._service_manager.main_process(pid)
        for pool in self.pools:
            pool.acceptors.use(())  # their sockets are closed below, and a stop accepts from those it has
        for bound in self._reloading.every_socket():
            # Not its transport's close: what belongs to it, such as a file, is the other's now.
            release(bound.socket.detach())
        self._shutdown.begin()
        self._service_manager.stopping()
        self.pools.dismiss_serving()

    def _on_new_masters_room(self) -> None:
        for pool in self.pools:
            pool.supervisor.hearing.listen()

    def _on_upgrade_failed(self) -> None:
        if self._control is not None:
            self._control.remove_new_masters_file()
        self._service_manager.ready(f"{count(self.pools.wanted, 'worker')}; the last upgrade has failed")
