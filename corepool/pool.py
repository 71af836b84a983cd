"""The composition root: settings and plugins become a running pool. The only place where master and worker meet."""

from __future__ import annotations

import itertools
import logging
import os
import resource
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from corepool import __version__
from corepool.chain import Chain
from corepool.config.cpus import available_cpus
from corepool.config.load import control_socket_path
from corepool.config.mistakes import spell_value
from corepool.config.settings import WorkersRange
from corepool.errors import ConfigError, ControlError, PluginError
from corepool.identity import Identity, file_rights, settle
from corepool.listener import BoundSocket, Configuration, Listener, ListenerLine
from corepool.log import entrust_logs
from corepool.master.commands import commands_of
from corepool.master.control import ControlSocket
from corepool.master.master import MAX_LISTENERS, Master
from corepool.master.notify import ServiceManager
from corepool.master.upgrade import Inheritance
from corepool.pidfile import PidFile, held
from corepool.spec.dispatcher import Dispatcher
from corepool.spec.scaler import Scaler
from corepool.spec.transport import Endpoint, Transport
from corepool.worker.main import rehearse, run_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from corepool.config.settings import ListenerSettings, PoolSettings, Settings
    from corepool.ipc.seat import Seat
    from corepool.master.commands import Command
    from corepool.registry import Kind, Registry

log = logging.getLogger(__name__)

_RESERVED_DESCRIPTORS = 32
"""Descriptors a worker needs besides its connections: the loop's own, the channel, the log, some files of the
application. Connections beyond `ulimit -n` less this could be accepted but not held."""


class Pool:
    """A pool of workers for the listeners of `settings`."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        announce: Callable[[list[ListenerLine]], None] | None = None,
        keep_fds: Iterable[int] = (),
        read_again: Callable[[], tuple[Settings, Registry]] | None = None,
        inheritance: Inheritance | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        :param announce: told where the pool listens, once it is ready.
        :param read_again: gives settings and plugins for a reload, or raises ConfigError; those at hand by default.
        :param inheritance: what the master before us has left, at an upgrade in place.
        :param keep_fds: descriptors that workers inherit, such as the log's.
        """
        self._settings = settings
        self._registry = registry
        self._announce = announce
        self._keep_fds = tuple(keep_fds)
        self._read_settings_again = read_again or (lambda: (settings, registry))
        self._places = _Places()
        self._inheritance = inheritance or Inheritance({})
        pidfile = settings.process.pidfile
        self._pidfile = None if pidfile is None else PidFile(Path(pidfile))

    def check(self) -> list[str]:
        """List every mistake that can be found without binding an address."""
        return _Plan(self._settings, self._registry, _Places()).mistakes

    def run(self) -> int:
        """Bind, fork, serve until told to stop.

        :returns: the exit status.
        :raises ConfigError: with every mistake, addresses that can't be bound among them; nothing was started.
        :raises ControlError: the control socket that was asked for is taken or can't be made.
        :raises BootError: the first generation of workers could not start.
        """
        settle(self._settings.process)
        with held(self._pidfile, later=self._inheritance.is_upgrade):
            master, control = self.assemble()
            rehearse()
            _yield_to_workers()
            master.run(control)
        return 0

    def assemble(self) -> tuple[Master, ControlSocket]:
        """Bind, and make what serves; nothing is forked yet.

        Raises as `run`.
        """
        identity = Identity.of(self._settings.process)
        if identity.account is not None:
            entrust_logs(identity.account.uid, identity.account.gid)
        plan = _Plan(self._settings, self._registry, self._places)
        bound = plan.bind(inheritance=self._inheritance)
        scaler = plan.scaler
        assert scaler is not None
        self._inheritance.close_rest()
        try:
            control = self._listen_for_control(commands_of(lambda: master))
        except ControlError:
            _close_all(bound)
            raise

        def serve(seat: Seat, configuration: Configuration) -> int:
            return run_worker(seat, configuration, self._keep_fds)

        master = Master(
            configuration=_configuration(self._settings, scaler, bound, identity),
            version=__version__,
            service_manager=ServiceManager(os.environ, os.getpid()),
            run_worker=serve,
            read_again=lambda open_already: self._read_again(open_already, identity),
            on_ready=lambda: self._on_ready(bound, control),
        )
        return master, control

    def _read_again(self, open_already: Sequence[BoundSocket], identity: Identity) -> Configuration:
        """Make the configuration of a reload.

        :raises ConfigError: with every mistake; nothing has changed.
        """
        settings, registry = self._read_settings_again()
        for table in ("process", "control", "log"):
            if getattr(settings, table) != getattr(self._settings, table):
                log.warning("[%s] has changed: that takes effect when the pool is started anew", table)
        settings = settings.model_copy(update={"process": self._settings.process})
        plan = _Plan(settings, registry, self._places)
        bound = plan.bind(open_already)
        assert plan.scaler is not None
        return _configuration(settings, plan.scaler, bound, identity)

    def _listen_for_control(self, commands: Mapping[str, Command]) -> ControlSocket:
        control = ControlSocket(control_socket_path(self._settings.control), commands)
        try:
            control.listen(beside=self._inheritance.is_upgrade)
        except ControlError as error:
            if self._settings.control.socket is not None:
                raise
            log.warning("%s; `corepool status` can't reach this pool (--control PATH chooses another)", error)
        return control

    def _on_ready(self, bound: Sequence[BoundSocket], control: ControlSocket) -> None:
        if self._inheritance.is_upgrade:
            for each in bound:
                each.transport.adopt(each.endpoint, each.socket)
            control.take_place()
            self._take_over_pidfile()
            self._inheritance.say_ready()
        if self._announce is not None:
            self._announce([_line(each) for each in bound])

    def _take_over_pidfile(self) -> None:
        try:
            if self._pidfile is not None:
                self._pidfile.take_over()
        except ConfigError as error:  # the other master is about to leave: serving comes first
            log.warning("%s", error)


class _Places:
    """Numbers that listeners and sockets keep over reloads: workers of two configurations speak of them."""

    def __init__(self) -> None:
        self._cells: dict[str, int] = {}
        self._sockets = itertools.count()

    def of_listeners(self, names: Sequence[str]) -> dict[str, int]:
        """Give each listener its place on the scoreboard: the one it had, or one that no other has.

        When all have had an owner, those whose listeners are gone are given away, with what they have counted.
        """
        for name in names:
            if name in self._cells:
                continue
            if len(self._cells) == MAX_LISTENERS:
                gone = next(each for each in self._cells if each not in names)
                self._cells[name] = self._cells.pop(gone)
            else:
                self._cells[name] = len(self._cells)
        return {name: self._cells[name] for name in names}

    def next_socket(self) -> int:
        """Number a socket; a message has 16 bits for it."""
        return next(self._sockets) % 65_536


class _Plan:
    """The listeners of a configuration, made as far as they can be; `mistakes` tells about the rest."""

    def __init__(self, settings: Settings, registry: Registry, places: _Places) -> None:
        self.mistakes: list[str] = []
        self._places = places
        self._registry = registry
        self._pool = settings.pool
        self._rights = file_rights(settings.process)
        self._listeners: list[tuple[str, ListenerSettings, Listener | None]] = []
        self.scaler = self._make_scaler()
        self._endpoints: list[tuple[str, int, Endpoint, Transport]] = []
        cells = places.of_listeners([listener.name for listener in settings.listener])
        for index, listener in enumerate(settings.listener):
            where = f"listener[{index}]"
            self._listeners.append((where, listener, self._make_listener(cells[listener.name], where, listener)))
            for position, url in enumerate(listener.bind):
                self._add_endpoint(f"{where}.bind[{position}]", index, url)

    def bind(
        self, open_already: Iterable[BoundSocket] = (), inheritance: Inheritance | None = None
    ) -> list[BoundSocket]:
        """Bind every address.

        :param open_already: those whose URLs are still wanted are taken over with what waits in their backlogs.
        :param inheritance: the same for those of the master before us.
        :raises ConfigError: with every mistake; nothing new is left bound.
        """
        bound: list[BoundSocket] = []
        fresh: list[BoundSocket] = []
        mistakes = list(self.mistakes)
        reusable = list(open_already)
        for where, index, endpoint, transport in self._endpoints:
            _, settings, listener = self._listeners[index]
            same = next((each for each in reusable if each.endpoint.url == endpoint.url), None)
            if same is not None and listener is not None:
                reusable.remove(same)
                transport.relisten(same.socket, settings.backlog)
                bound.append(replace(same, listener=listener))
                continue
            try:
                sock = None if inheritance is None else inheritance.take(endpoint.url)
                if sock is not None:
                    transport.relisten(sock, settings.backlog)
                else:
                    sock = transport.listen(endpoint, settings.backlog)
            except OSError as error:
                mistakes.append(f"{where}: can't listen on {endpoint.url}: {error.strerror or error}")
                continue
            if listener is None:
                transport.close(endpoint, sock)
                continue
            url, address = transport.url(endpoint, sock), transport.address(sock.getsockname())
            number = self._places.next_socket()
            fresh.append(BoundSocket(number, listener, endpoint, transport, sock, url, address))
            bound.append(fresh[-1])
        if mistakes:
            _close_all(fresh)
            raise ConfigError(mistakes)
        return bound

    def _make_scaler(self) -> Scaler | None:
        name = self._pool.scaler
        scaler = self._create("scalers", name, dict(self._pool.scaler_options), "pool.scaler", "pool.scaler_options")
        if scaler is not None and not isinstance(scaler, Scaler):
            self._add(f"pool.scaler: {name!r} does not derive from corepool.Scaler")
            return None
        return scaler

    def _make_listener(self, index: int, where: str, settings: ListenerSettings) -> Listener | None:
        pool = self._pool
        if settings.dispatcher is None:
            dispatcher_name, dispatcher_where = pool.dispatcher, "pool.dispatcher"
            dispatcher_options = dict(pool.dispatcher_options)
        else:
            dispatcher_name, dispatcher_where = settings.dispatcher, f"{where}.dispatcher"
            dispatcher_options = dict(settings.dispatcher_options)
        protocol = self._create(
            "protocols", settings.protocol, dict(settings.options), where + ".protocol", where + ".options"
        )
        dispatcher = self._create(
            "dispatchers",
            dispatcher_name,
            dispatcher_options,
            dispatcher_where,
            dispatcher_where + "_options",
        )
        extensions = [
            self._create(
                "extensions",
                name,
                dict(settings.extension_options.get(name, {})),
                f"{where}.extensions[{position}]",
                f"{where}.extension_options.{name}",
            )
            for position, name in enumerate(settings.extensions)
        ]
        if dispatcher is not None and not isinstance(dispatcher, Dispatcher):
            self._add(f"{dispatcher_where}: {dispatcher_name!r} does not derive from corepool.Dispatcher")
            return None
        if protocol is None or dispatcher is None or None in extensions:
            return None
        try:
            chain = Chain(protocol, extensions)
        except PluginError as error:
            self._add(f"{where}: {error}")
            return None
        example: object = getattr(protocol, "try_it", "")
        return Listener(index, settings, dispatcher_name, dispatcher, chain, str(example))

    def _add_endpoint(self, where: str, index: int, url: str) -> None:
        try:
            endpoint = replace(Endpoint.parse(url), rights=self._rights)
        except ValueError as error:
            self._add(f"{where} = {spell_value(url)}: {error}")
            return
        transport = self._create("transports", endpoint.scheme, endpoint.query, f"{where} = {spell_value(url)}", where)
        if transport is None:
            return
        if not isinstance(transport, Transport):
            self._add(f"{where}: {endpoint.scheme!r} does not derive from corepool.Transport")
            return
        try:
            transport.check(endpoint)
        except ValueError as error:
            self._add(f"{where} = {spell_value(url)}: {error}")
            return
        self._endpoints.append((where, index, endpoint, transport))

    def _create(
        self, kind: Kind, name: str, options: Mapping[str, object], where: str, options_where: str
    ) -> object | None:
        try:
            return self._registry.create(kind, name, options, options_where)
        except PluginError as error:
            self._add(f"{where}: {error}")
        except ConfigError as error:
            for mistake in error.mistakes:
                self._add(mistake)
        except Exception as error:  # noqa: BLE001  # a plugin's constructor: the mistake is its author's
            self._add(f"{where}: {name!r} can't be made: {type(error).__name__}: {error}")
        return None

    def _add(self, mistake: str) -> None:
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)


def _configuration(
    settings: Settings, scaler: Scaler, bound: Sequence[BoundSocket], identity: Identity
) -> Configuration:
    pool = _within_descriptor_limit(settings.pool)
    name = settings.process.name or ", ".join(listener.name for listener in settings.listener)
    match pool.workers:
        case "auto":
            least = most = available_cpus()
        case WorkersRange(min=least, max=most):
            pass
        case int(least):
            most = least
    return Configuration(name, pool, identity, scaler, least, most, tuple(bound))


def _line(bound: BoundSocket) -> ListenerLine:
    host, port = bound.transport.address(bound.socket.getsockname())
    try_it = "" if port is None else bound.listener.example.format(host=host, port=port)
    return ListenerLine(
        name=bound.listener.name,
        url=bound.url,
        protocol=bound.listener.settings.protocol,
        dispatcher=bound.listener.dispatcher_name,
        try_it=try_it,
    )


def _within_descriptor_limit(pool: PoolSettings) -> PoolSettings:
    """Lower `max_connections` to what a worker can hold."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, limit - _RESERVED_DESCRIPTORS)
    if limit == resource.RLIM_INFINITY or pool.max_connections <= most:
        return pool
    log.warning("max_connections lowered from=%d to=%d reason='ulimit -n is %d'", pool.max_connections, most, limit)
    return pool.model_copy(update={"max_connections": most})


def _yield_to_workers() -> None:
    """Keep the master from interrupting a worker for each connection that arrives.

    A batch process (sched(7)) does not preempt what runs: on a busy core the master then finds several
    connections waiting and hands them over in one message (52 instead of 70 us of CPU a connection, both
    processes); on an idle core it changes nothing. Workers don't inherit it.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))
    except OSError as error:  # a seccomp filter may refuse it
        log.debug("scheduling policy unchanged: %s", error)


def _close_all(bound: Iterable[BoundSocket]) -> None:
    for each in bound:
        each.close()
