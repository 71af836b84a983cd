"""The composition root: settings and plugins become a running pool. The only place where master and worker meet."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from corepool import __version__
from corepool.config.draft import Draft
from corepool.config.runtime import Origin
from corepool.errors import ConfigError
from corepool.guards import HOOK_ERRORS
from corepool.launch import events
from corepool.launch.controlling import open_control, warn_of_other_name
from corepool.launch.places import Places
from corepool.launch.plan import Plan
from corepool.launch.preflight import refusals
from corepool.logs.log import entrust_logs
from corepool.master.commands import commands_of
from corepool.master.inheritance import Inheritance
from corepool.master.master import Master
from corepool.master.notify import ServiceManager
from corepool.master.obeying import obey
from corepool.master.signals import Signals
from corepool.master.totals import TotalCounts
from corepool.plugins.listener import ListenerLine, sockets_of
from corepool.system.identity import Identity, settle
from corepool.system.pidfile import PidFile, held
from corepool.worker.boot import run_worker
from corepool.worker.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from corepool.config.runtime import Place
    from corepool.config.settings import Settings
    from corepool.ipc.worker_spawn import WorkerSpawn
    from corepool.launch.mistakes import Remark
    from corepool.master.control import ControlSocket
    from corepool.plugins.listener import BoundSocket, Configuration
    from corepool.plugins.registry import Registry

log = logging.getLogger(__name__)


class Pool:
    """A pool of workers for the listeners of `settings`."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        announce: Callable[[list[ListenerLine]], None] | None = None,
        read_again: Callable[[], tuple[Draft, Registry]] | None = None,
        inheritance: Inheritance | None = None,
        origin: Origin | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        :param announce: told where the pool listens, once it is ready.
        :param read_again: reads a configuration and plugins for a reload; those at hand by default.
        :param inheritance: sockets and orders of the master before this one, at an upgrade in place.
        :param origin: where the settings come from: the pool's name, if they don't say it, and its file.
        """
        self._settings = settings
        self._registry = registry
        self._announce = announce
        self._keep_fds: tuple[int, ...] = ()
        self._read_draft_again = read_again or (lambda: (Draft(settings, "the settings"), registry))
        self._inheritance = inheritance or Inheritance({})
        self._earlier = self._inheritance.take_totals()
        self._places = Places(self._earlier.places)
        self._origin = origin or Origin("corepool")
        pidfile = settings.process.pidfile
        self._pidfile = None if pidfile is None else PidFile(Path(pidfile))

    @cached_property
    def _plan(self) -> Plan:
        """The plan that is judged, and then bound: each plugin is made once."""
        return Plan(self._settings, self._registry, self._places)

    @property
    def doubts(self) -> list[str]:
        """Settings that are allowed, and probably not meant."""
        return self._plan.doubts

    def check(self) -> list[Remark]:
        """Find the mistakes that show without binding an address, at a start.

        :returns: remarks, with which it would start.
        :raises ConfigError: with every mistake.
        """
        mistakes = self._plan.mistakes.copy()
        for mistake in refusals(self._settings):
            mistakes.add(mistake)
        remarks = self._plan.examine(mistakes)
        mistakes.finish()
        return remarks

    def check_upgrade(self) -> None:
        """Find those of a new master, while a pool runs: what that is bound to already is not examined.

        :raises ConfigError: with every mistake.
        """
        mistakes = self._plan.mistakes.copy()
        for mistake in refusals(self._settings):
            mistakes.add(mistake)
        mistakes.finish()

    def check_plugins(self) -> None:
        """Find those that plugins find; the system is not asked.

        Enough for a reload: the tables for which it is asked hold until a restart.

        :raises ConfigError: with every mistake.
        """
        self._plan.finish()

    def run(self, keep_fds: Iterable[int] = ()) -> int:
        """Bind, fork, serve until told to stop.

        :param keep_fds: descriptors that workers inherit, such as the log's.
        :returns: the exit status.
        :raises ConfigError: with every mistake, addresses that can't be bound among them; nothing was started.
        :raises ControlError: the control socket that was asked for is taken or can't be made.
        :raises BootError: the first generation of workers could not start.
        """
        self._keep_fds = tuple(keep_fds)
        settle(self._settings.process)
        with ExitStack() as stack:
            # Before anything is there that would be left behind if a signal ended the process.
            signals = Signals()
            stack.callback(signals.restore)
            signals.install()
            stack.enter_context(held(self._pidfile, later=self._inheritance.is_upgrade))
            configurations = self.bind()
            for bound in sockets_of(configurations):
                stack.callback(bound.close)
            rehearse(configurations[0])
            master, control = self.assemble(configurations)
            stack.callback(control.close)
            _yield_to_workers()
            master.run(control, signals.fd, lambda: obey(master, signals))
        return 0

    def bind(self) -> list[Configuration]:
        """Make the configurations that workers are forked with, listening sockets included.

        Raises as `run`.
        """
        identity = Identity.of(self._settings.process)
        if identity.account is not None:
            entrust_logs(identity.account.uid, identity.account.gid)
        configurations = self._plan.bind(identity, inheritance=self._inheritance)
        self._inheritance.close_rest()
        return configurations

    def assemble(self, configurations: list[Configuration]) -> tuple[Master, ControlSocket]:
        """Make the master and its control socket; nothing is forked yet. The caller closes the sockets, in any case.

        Raises as `run`.
        """
        identity, bound = configurations[0].identity, sockets_of(configurations)
        control, place = open_control(
            self._settings,
            self._origin,
            commands_of(lambda: master),
            self._inheritance.place,
            is_upgrade=self._inheritance.is_upgrade,
        )

        def serve(spawn: WorkerSpawn, configuration: Configuration) -> int:
            return run_worker(spawn, configuration, self._keep_fds, self._settings.log.config)

        master = Master(
            configurations=configurations,
            title=self._settings.process.name,
            version=__version__,
            service_manager=ServiceManager(os.environ, os.getpid()),
            run_worker=serve,
            read_again=lambda open_already: self._read_again(open_already, identity, place),
            on_ready=lambda: self._on_ready(master, bound, control),
            inheritance=self._inheritance,
            place=place,
            totals=TotalCounts(self._places.taken, self._earlier, self._inheritance.take_shared_counts()),
            shutdown_delay_s=self._settings.process.shutdown_delay,
        )
        return master, control

    def _read_again(self, open_already: Sequence[BoundSocket], identity: Identity, place: Place) -> list[Configuration]:
        """Make the configuration of a reload.

        :raises ConfigError: with every mistake; nothing has changed.
        """
        draft, registry = self._read_draft_again()
        serving = [each.listener for each in open_already]
        read = draft.settings or draft.finish()  # it raises: there is nothing to plan with
        settings = read.model_copy(update={"process": self._settings.process})
        plan = Plan(settings, registry, self._places, serving)
        draft.judge(plan.finish)
        draft.finish()
        for table in ("process", "control", "log"):
            if getattr(read, table) != getattr(self._settings, table):
                events.table_needs_restart(log, table=table)
        warn_of_other_name(settings, self._origin, place)
        return plan.bind(identity, open_already)

    def _on_ready(self, master: Master, bound: Sequence[BoundSocket], control: ControlSocket) -> None:
        if self._inheritance.is_upgrade:
            for each in bound:
                try:
                    each.transport.adopt(each.endpoint, each.socket)
                except HOOK_ERRORS as error:
                    events.inherited_socket_not_adopted.exception(log, error, url=each.url)
            control.take_place()
            self._take_over_pidfile()
            self._inheritance.say_ready(master.loop, master.elsewhere.adopt, master.on_old_master_gone)
        if self._announce is not None:
            self._announce([_line(each) for each in bound])

    def _take_over_pidfile(self) -> None:
        try:
            if self._pidfile is not None:
                self._pidfile.take_over()
        except ConfigError as error:  # the other master is about to leave: serving comes first
            events.pidfile_not_taken_over(log, reason=error)


def _line(bound: BoundSocket) -> ListenerLine:
    return ListenerLine(
        name=bound.listener.name,
        url=bound.url,
        protocol=bound.listener.protocol_names,
        dispatcher=bound.listener.dispatcher_name,
        try_it="; ".join(bound.examples),
    )


def _yield_to_workers() -> None:
    """Keep the master from interrupting a worker for each connection that arrives.

    A batch process (sched(7)) does not preempt a running one: on a busy core the master then finds several
    connections waiting and hands them over in one message (52 instead of 70 us of CPU per connection, both
    processes); on an idle core it changes nothing. Workers inherit it, and leave it (`worker/process.py`).
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    except OSError as error:  # a seccomp filter may refuse it
        events.scheduling_policy_kept(log, reason=error)
