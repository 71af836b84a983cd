"""The master: the pools of one configuration, and what concerns them all: signals, reload, upgrade, stop.

It never reads a byte that a client sent, starts no thread, and imports no application code; so it can fork
at any moment.
"""

from __future__ import annotations

import gc
import itertools
import logging
import os
import signal
from select import EPOLLIN
from typing import TYPE_CHECKING, Literal

from corepool.accepting import Complaint
from corepool.errors import BootError, ConfigError, ControlError
from corepool.ipc.berths import Berths
from corepool.ipc.messages import Kind, Message
from corepool.ipc.scoreboard import Scoreboard
from corepool.listener import MAX_LISTENERS, sockets_of, without
from corepool.log import reopen_logs
from corepool.master.keeper import Keeper
from corepool.master.ledger import Handoff
from corepool.master.loop import Loop
from corepool.master.oom import OomCounter
from corepool.master.orphans import reap_all
from corepool.master.signals import Signals
from corepool.master.status import (
    PoolStatus,
    ReloadStatus,
    UpgradeStatus,
    WorkersOfPool,
    listeners_status,
    totals,
    workers_status,
)
from corepool.master.upgrade import Successor
from corepool.master.worker_pool import MAX_WORKERS, Surroundings, WorkerPool
from corepool.title import Title, count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from corepool.ipc.seat import Seat
    from corepool.listener import BoundSocket, Configuration
    from corepool.master.control import ControlSocket
    from corepool.master.notify import ServiceManager

log = logging.getLogger(__name__)

_TITLE_INTERVAL_S = 1.0

_LOG_LEVELS = ("debug", "info", "warning", "error")


class Master:
    """Owns the listening sockets and the pools. `start`, then `turn` until `finished`; or `run`, which does both."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        title: str | None,
        version: str,
        service_manager: ServiceManager,
        run_worker: Callable[[Seat, Configuration], int],
        read_again: Callable[[Sequence[BoundSocket]], list[Configuration]],
        on_ready: Callable[[], None],
    ) -> None:
        """Take over the bound sockets; nothing is forked yet.

        :param configurations: one for each pool.
        :param title: what the process title calls it; None: the names of the listeners.
        :param run_worker: what a forked child does; gives its exit status.
        :param read_again: gives what to reload, taking over what is still wanted of the sockets that are open;
            raises ConfigError, and nothing has changed then.
        :param on_ready: called once, when the first generation of every pool is ready.
        """
        self._read_again = read_again
        self._name = title
        self._title = Title()
        self._complaint = Complaint(log)
        self._version = version
        self._service_manager = service_manager
        self._announce = on_ready
        self._loop = Loop()
        self._scoreboard = Scoreboard(MAX_LISTENERS)
        self._paused: set[str] = set()
        """Listeners that were paused, by name."""
        berths = Berths()
        self._keeper = Keeper(berths, self._loop)
        self._shared = Surroundings(
            self._loop,
            self._scoreboard,
            berths,
            self._keeper,
            OomCounter(),
            self._paused,
            version,
            run_worker,
            owner=self,
        )
        self._numbers = itertools.count()
        self._generation = 0
        self._pools = self._make_pools(configurations)
        self._arriving: dict[str, WorkerPool] = {}
        """Pools that the reload under way has brought; they serve when it is done."""
        self._departing: list[WorkerPool] = []
        """Pools that a reload has taken away, until their last worker has left."""
        self._coming: dict[str, Configuration] | None = None
        """What the reload under way leads to."""
        self._rolled: set[str] = set()
        """The pools that are ready for it."""
        self._signals: Signals | None = None
        self._control: ControlSocket | None = None
        self._started_at = self._loop.time()
        self._boot_failure: str | None = None
        self._was_ready = False
        self._stopping = False
        self._past_restarts = self._past_redispatched = 0
        """What pools have counted that are gone."""
        self._successor: Successor | None = None
        """The new master of the upgrade under way, until it is ready."""
        self._heir: Successor | None = None
        """The one that serves in our place."""
        self._upgrade: UpgradeStatus = {"state": "none", "pid": 0, "error": ""}
        self._reload: ReloadStatus = {"state": "none", "generation": 0, "left": 0, "error": ""}

    @property
    def finished(self) -> bool:
        """True when the master was told to stop and every worker is gone."""
        return self._stopping and not any(len(pool.workers) for pool in self._every_pool())

    def run(self, control: ControlSocket) -> None:
        """Run the pools until they have stopped.

        :raises BootError: the first generation could not start.
        """
        self._signals = Signals()
        try:
            self._signals.install()
            self._loop.watch(self._signals.fd, EPOLLIN, self._on_signals)
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
        for pool in self._pools.values():
            pool.call_hooks("on_start", pool.info())
        # Once, before the first fork, and never thawed: a collection writes to every object's header, and each
        # write in the master takes a shared page away from the workers (12 MB a worker instead of 3). No
        # collection before it either: what it freed would be refilled by each worker, on pages of its own.
        gc.freeze()
        for pool in self._pools.values():
            pool.open()
            pool.start()
        self._show_title()
        if self._service_manager.watchdog_interval_s is not None:
            self._feed_watchdog()

    def turn(self, longest_s: float | None = None) -> None:
        """Serve what is due, waiting `longest_s` at most for it."""
        self._loop.turn(longest_s)

    def stop(self, *, fast: bool = False) -> None:
        """Stop every pool: drain the workers, or end them at once. A second fast stop kills them."""
        begins = not self._stopping
        if begins:
            self._stopping = True
            if self._successor is not None:
                self._successor.close()
                self._successor = None
            self._service_manager.stopping()
            log.info("pool stopping workers=%d fast=%s", self._workers, fast)
        for pool in list(self._every_pool()):
            if fast and not begins:
                pool.kill()
            else:
                pool.stop(fast=fast)
        if begins:
            for bound in self._every_socket():
                bound.close()

    def reload(self) -> None:
        """Read the configuration again, and replace every worker by one that imports the application anew.

        A worker serves until its successor is ready. The first successor that fails ends the reload, and those
        that were not replaced yet go on. A reload during a reload begins anew.

        :raises ControlError: the pool is starting or stopping, or the configuration has mistakes.
        """
        if self._stopping or not self._was_ready:
            raise ControlError(f"the pool is {self._state}")
        if self._successor is not None:
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")
        open_already = self._every_socket()
        try:
            coming = self._read_again(open_already)
        except ConfigError as error:
            raise ControlError(f"nothing was changed: {error}") from None
        for bound in without(open_already, self._serving_sockets(), sockets_of(coming)):
            bound.close()  # only the reload that this one overtakes wanted it
        self._generation += 1
        self._send_away(self._arriving.values(), fast=True)
        self._coming = {each.name: each for each in coming}
        self._rolled = {name for name in self._pools if name not in self._coming}
        self._reload = {"state": "running", "generation": self._generation, "left": 0, "error": ""}
        log.info("reload begins generation=%d workers=%d", self._generation, self._workers)
        self._service_manager.reloading()
        # All at once, before the first is asked to begin: one that fails at once ends the reload for all.
        rolling = [(pool, self._coming[name]) for name, pool in self._pools.items() if name in self._coming]
        self._arriving = self._make_pools(each for each in coming if each.name not in self._pools)
        for arriving in self._arriving.values():
            arriving.call_hooks("on_start", arriving.info())
            arriving.start()  # and not `open`: its sockets may still be another pool's
        for pool, configuration in rolling:
            if self._reload["state"] == "running":
                pool.roll(self._generation, configuration)

    def upgrade(self) -> None:
        """Execute a new master with the listening sockets; leave when it is ready, go on when it fails.

        :raises ControlError: it can't be done now, or not here.
        """
        if self._stopping or not self._was_ready or self._reload["state"] == "running":
            raise ControlError(f"the pool is {'reloading' if self._state == 'ready' else self._state}")
        if self._successor is not None:
            raise ControlError(f"an upgrade is under way (pid {self._successor.pid})")
        if os.getpid() == 1:
            raise ControlError("process 1 can't leave: its container would end; replace the container instead")
        timeout_s = 2 * max(pool.serving.pool.boot_timeout for pool in self._pools.values())
        try:
            self._successor = Successor(
                self._loop, self._serving_sockets(), timeout_s, self._on_upgraded, self._on_upgrade_failed
            )
        except OSError as error:
            raise ControlError(f"the new master can't be executed: {error.strerror or error}") from None
        self._upgrade = {"state": "running", "pid": self._successor.pid, "error": ""}
        self._service_manager.reloading()
        log.info("upgrade begins pid=%d", self._successor.pid)

    def drain(self, slot: int, pool: str | None = None) -> int:
        """Replace one worker, which finishes what it has begun.

        :returns: its pid.
        :raises ControlError: there is none in `slot`, or the pool is stopping.
        """
        return self._pool_named(pool).drain(slot)

    def scale(self, workers: int, pool: str | None = None) -> int:
        """Have so many workers in a pool, within 1..MAX_WORKERS.

        :returns: how many there will be.
        :raises ControlError: there is no such pool, or several and none is named; or nobody has so many workers.
        """
        if not 1 <= workers <= MAX_WORKERS:
            raise ControlError(f"workers: expected 1 to {MAX_WORKERS}, not {workers}")
        return self._pool_named(pool).scale(workers)

    def rebalance(self) -> int:
        """Have idle connections go from workers that hold more than their share to the others, in every pool.

        :returns: how many are asked for.
        """
        return sum(pool.rebalance() for pool in self._pools.values())

    def pause_listener(self, name: str) -> None:
        """Leave new connections of a listener in the kernel's backlog; those that there are go on.

        :raises ControlError: there is none of that name.
        """
        self._tell_listener(name, Kind.PAUSE)
        self._paused.add(name)
        self._resume_fronts()
        log.info("listener paused name=%s", name)

    def resume_listener(self, name: str) -> None:
        """Take connections of a listener again.

        :raises ControlError: there is none of that name.
        """
        self._tell_listener(name, Kind.RESUME)
        self._paused.discard(name)
        self._resume_fronts()
        log.info("listener resumed name=%s", name)

    def set_log_level(self, level: str) -> None:
        """Write what is as important as `level`, or more: here, in every worker, and in those to come.

        :raises ControlError: there is no such level.
        """
        if level not in _LOG_LEVELS:
            raise ControlError(f"no log level {level!r}; there are: {', '.join(_LOG_LEVELS)}")
        logging.getLogger().setLevel(level.upper())
        for pool in self._every_pool():
            pool.tell(Message(Kind.LOG_LEVEL, 0, level.upper().encode()))

    def status(self) -> PoolStatus:
        """Describe the pools."""
        now, pools = self._loop.time(), list(self._every_pool())
        left = [pool.left_to_roll if pool.is_ready else pool.workers.target for pool in pools]
        return PoolStatus(
            pid=os.getpid(),
            version=self._version,
            uptime=round(now - self._started_at, 3),
            generation=self._generation,
            wanted=self._wanted,
            state=self._state,
            upgrade=self._upgrade,
            reload={**self._reload, "left": sum(left) if self._reload["state"] == "running" else 0},
            pools=[WorkersOfPool(name=pool.name, state=pool.state, wanted=pool.workers.target) for pool in pools],
            listeners=[
                listener
                for pool in self._pools.values()
                for listener in listeners_status(pool.serving, self._scoreboard, self._paused)
            ],
            workers=[worker for pool in pools for worker in workers_status(pool.name, pool.workers, now)],
            totals=totals(
                self._scoreboard,
                survived=self._keeper.survived,
                farewelled=self._keeper.farewelled,
                restarts=self._past_restarts + sum(pool.restarts for pool in pools),
                redispatched=self._past_redispatched + sum(pool.dispatch.redispatched for pool in pools),
            ),
        )

    def close(self) -> None:
        """Give everything back, ending what is left of the workers. Idempotent."""
        self._stopping = True
        pools = list(self._every_pool())
        for pool in pools:
            pool.kill()
        while not self.finished:
            self._loop.turn()
        for pool in pools:
            pool.close()
        self._keeper.close()
        for bound in self._every_socket():
            bound.close()
        if self._control is not None:
            self._control.close()
        if self._heir is not None:
            self._heir.release()
        self._service_manager.close()
        self._loop.close()
        for pool in self._pools.values():
            pool.call_hooks("on_stop", pool.info())
        if self._signals is not None:
            self._signals.restore()

    # --- pools and sockets

    @property
    def _state(self) -> Literal["starting", "ready", "stopping"]:
        return "stopping" if self._stopping else "ready" if self._was_ready else "starting"

    @property
    def _workers(self) -> int:
        return sum(len(pool.workers) for pool in self._every_pool())

    @property
    def _wanted(self) -> int:
        return sum(pool.workers.target for pool in self._pools.values())

    def _make_pools(self, configurations: Iterable[Configuration]) -> dict[str, WorkerPool]:
        return {
            each.name: WorkerPool(next(self._numbers), each, self._shared, self._generation) for each in configurations
        }

    def _every_pool(self) -> Iterator[WorkerPool]:
        yield from self._pools.values()
        yield from self._arriving.values()
        yield from self._departing

    def _serving_sockets(self) -> list[BoundSocket]:
        return sockets_of(pool.serving for pool in self._pools.values())

    def _every_socket(self) -> list[BoundSocket]:
        serving = self._serving_sockets()
        return [*serving, *without(sockets_of((self._coming or {}).values()), serving)]

    def _pool_named(self, name: str | None) -> WorkerPool:
        names = ", ".join(self._pools)
        if not self._pools:
            raise ControlError("the pool is stopping")
        if name is None:
            if len(self._pools) > 1:
                raise ControlError(f"there are several pools; say which: {names}")
            return next(iter(self._pools.values()))
        if name not in self._pools:
            raise ControlError(f"no pool named {name!r}; there are: {names}")
        return self._pools[name]

    def _tell_listener(self, name: str, kind: Kind) -> None:
        """Tell the workers that accept from a listener's sockets."""
        known: set[str] = set()
        for pool in self._pools.values():
            for bound in pool.serving.bound:
                known.add(bound.listener.name)
                if bound.listener.name == name:
                    pool.tell(Message(kind, bound.index))
        if name not in known:
            raise ControlError(f"no listener named {name!r}; there are: {', '.join(sorted(known))}")

    def _resume_fronts(self) -> None:
        for pool in self._pools.values():
            pool.front.resume()

    # --- what pools tell (worker_pool.Owner)

    def on_pool_ready(self, pool: WorkerPool) -> None:
        """A pool serves: all of them have to, at the start and in a reload."""
        if self._arriving.get(pool.name) is pool:
            self.on_rolled(pool)
        elif not self._was_ready and all(each.is_ready for each in self._pools.values()):
            self._was_ready = True
            self._service_manager.ready(count(self._wanted, "worker"))
            self._announce()

    def on_pool_failed(self, pool: WorkerPool, worker: str, report: str) -> None:
        """End what can't begin: the whole master, or the reload that has brought the pool."""
        if self._arriving.get(pool.name) is pool:
            self._end_reload(f"worker {worker} could not boot: {report}")
        elif not self._was_ready:
            if self._boot_failure is None:
                self._boot_failure = f"worker {worker} could not boot, so the pool does not start:\n{report}"
            self.stop(fast=True)

    def on_rolled(self, pool: WorkerPool) -> None:
        """Let the reload take effect once every pool is ready for it."""
        self._rolled.add(pool.name)
        if self._coming is not None and self._rolled >= {*self._coming, *self._pools}:
            self._end_reload("")

    def on_roll_failed(self, pool: WorkerPool, error: str) -> None:  # noqa: ARG002  # the error names its worker
        """End the reload for all."""
        self._end_reload(error)

    def lasting_sockets(self) -> Collection[int]:
        """List the sockets that will be served when what is under way is over."""
        if self._heir is not None:
            return self._heir.sockets
        lasting = self._serving_sockets() if self._coming is None else sockets_of(self._coming.values())
        return [bound.index for bound in lasting]

    def on_stray(self, handoff: Handoff) -> None:
        """Give a connection to the pool that serves its listener now; if none does, it is lost."""
        if self._heir is not None:
            self._keeper.free(handoff.berth)
            self._heir.give(handoff)
            return
        for pool in self._pools.values():
            if any(bound.index == handoff.listener for bound in pool.serving.bound):
                pool.dispatch.adopt([handoff])
                return
        self._keeper.free(handoff.berth)
        os.close(handoff.fd)

    def on_empty(self, pool: WorkerPool) -> None:
        """Forget a pool that a reload has taken away."""
        if pool in self._departing:
            self._departing.remove(pool)
            self._past_restarts += pool.restarts
            self._past_redispatched += pool.dispatch.redispatched
            pool.close()
            pool.call_hooks("on_stop", pool.info())
            log.info("pool is gone pool=%s", pool.name)

    # --- the end of a reload

    def _end_reload(self, error: str) -> None:
        if self._reload["state"] != "running":
            return
        left = self.status()["reload"]["left"]
        self._reload["state"], self._reload["error"] = ("failed", error) if error else ("done", "")
        if error:
            self._abandon()
            log.error("reload failed generation=%d kept=%d: %s", self._generation, left + 1, error)
            self._service_manager.ready(f"{count(self._wanted, 'worker')}; the last reload has failed")
            return
        self._commit()
        log.info("reload done generation=%d", self._generation)
        self._service_manager.ready(count(self._wanted, "worker"))
        for pool in self._pools.values():
            pool.call_hooks("on_reload", pool.info())

    def _commit(self) -> None:
        """Serve what the workers were reloaded with."""
        coming, self._coming = self._coming, None
        assert coming is not None
        old = self._serving_sockets()
        leaving = [pool for name, pool in self._pools.items() if name not in coming]
        # Each step for all before the next: a socket may change its pool.
        for pool in self._pools.values():
            pool.front.pause()
        self._pools = {name: self._pools.get(name) or self._arriving[name] for name in coming}
        self._arriving = {}
        for name, pool in self._pools.items():
            pool.commit(coming[name])
        for bound in without(old, self._serving_sockets()):
            bound.close()
        for pool in self._pools.values():
            pool.open()
        self._send_away(leaving, fast=False)

    def _abandon(self) -> None:
        """Forget what a reload has not come to."""
        coming, self._coming = self._coming or {}, None
        arriving, self._arriving = self._arriving, {}
        self._send_away(arriving.values(), fast=True)
        for pool in self._pools.values():
            pool.abandon_roll()
        for bound in without(sockets_of(coming.values()), self._serving_sockets()):
            bound.close()

    def _send_away(self, pools: Iterable[WorkerPool], *, fast: bool) -> None:
        """Stop pools that are none of ours any more."""
        for pool in pools:
            self._departing.append(pool)
            pool.leave(fast=fast)

    # --- upgrade

    def adopt(self, listening_fd: int, fd: int, frozen: bytes | None) -> None:
        """Go on with a connection that the master before us has left.

        :param listening_fd: by which it came in. If that is not ours any more, the connection is lost.
        :param frozen: what its worker knew; None: it has met none.
        """
        for pool in self._pools.values():
            for bound in pool.serving.bound:
                if bound.socket.fileno() == listening_fd:
                    pool.dispatch.adopt([Handoff(fd, bound.index, None, frozen)])
                    return
        self._complaint.warn("connections lost: those of the old master from listeners that there are no more")
        os.close(fd)

    @property
    def loop(self) -> Loop:
        """What turns."""
        return self._loop

    def _on_upgraded(self, pid: int) -> None:
        log.info("upgrade done: another master serves now pid=%d", pid)
        self._heir, self._successor = self._successor, None
        self._upgrade["state"] = "done"
        self._service_manager.main_process(pid)
        for pool in self._every_pool():
            pool.front.pause()
        for bound in self._every_socket():
            bound.socket.close()  # not its transport's close: what belongs to it, such as a file, is the other's now
        self._stopping = True
        self._service_manager.stopping()
        pools, self._pools = self._pools, {}
        self._send_away(pools.values(), fast=False)

    def _on_upgrade_failed(self, reason: str) -> None:
        log.error("upgrade failed, this master goes on: the new one was not ready: %s", reason)
        self._successor = None
        self._upgrade["state"], self._upgrade["error"] = "failed", reason
        self._service_manager.ready(f"{count(self._wanted, 'worker')}; the last upgrade has failed")

    # --- signals, and what recurs

    def _on_signals(self, mask: int) -> None:  # noqa: ARG002
        assert self._signals is not None
        for signum in self._signals.read():
            if signum == signal.SIGCHLD:
                if os.getpid() == 1:  # workers have pidfds
                    reap_all(lambda pid: any(pool.reap(pid) for pool in self._every_pool()))
                continue
            log.info("signal received signal=%s", signal.Signals(signum).name)
            for pool in list(self._pools.values()):
                pool.call_hooks("on_signal", signum)
            self._obey(signum)

    def _obey(self, signum: int) -> None:
        if signum == signal.SIGTERM:
            self.stop()
        elif signum in (signal.SIGINT, signal.SIGQUIT):
            self.stop(fast=True)
        elif signum in (signal.SIGHUP, signal.SIGUSR2):
            what, begin = ("reload", self.reload) if signum == signal.SIGHUP else ("upgrade", self.upgrade)
            try:
                begin()
            except ControlError as error:
                log.error("%s refused: %s", what, error)  # noqa: TRY400  # the operator's matter
        elif signum == signal.SIGUSR1:
            reopen_logs()
            for pool in self._every_pool():
                pool.forward(signum)
        elif signum in (signal.SIGTTIN, signal.SIGTTOU):
            for pool in self._pools.values():
                pool.scale(pool.workers.target + (1 if signum == signal.SIGTTIN else -1))

    def _show_title(self) -> None:
        listeners = (bound.listener.name for bound in self._serving_sockets())
        name = self._name or ", ".join(dict.fromkeys(listeners))
        self._title.show(f"master [{name}] {count(self._workers, 'worker')}")
        self._loop.call_later(_TITLE_INTERVAL_S, self._show_title)

    def _feed_watchdog(self) -> None:
        self._service_manager.watchdog()
        interval_s = self._service_manager.watchdog_interval_s
        assert interval_s is not None
        self._loop.call_later(interval_s, self._feed_watchdog)
