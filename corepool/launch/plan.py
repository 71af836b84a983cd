"""The plan of a configuration: its pools and listeners with their plugins, made as far as they can be, then bound."""

from __future__ import annotations

import logging
import resource
from dataclasses import replace
from typing import TYPE_CHECKING

from corepool.config.cpus import available_cpus
from corepool.config.mistakes import spell_value
from corepool.config.plugin_options import Untyped
from corepool.config.settings import WorkersRange
from corepool.config.suggest import nearest
from corepool.errors import ConfigError, CorepoolError, PluginError
from corepool.guards import HOOK_ERRORS
from corepool.ipc.scoreboard import ListenerPlace
from corepool.launch import events
from corepool.launch.binding import Wanted, bind, examine, find_overlaps
from corepool.launch.doubts import doubts_about_proxies, doubts_about_timeouts, obstacles_to_proxies, warn
from corepool.launch.mistakes import Mistakes, Remark, spell_failure
from corepool.launch.obstacles import obstacles_to_keeping, obstacles_to_own_addresses
from corepool.launch.per_worker import url_of_worker
from corepool.launch.protocols import add_mistakes, chain_up, chained_before, places_of
from corepool.launch.sharing import Sharing, find_contradictions, find_unlike_metrics
from corepool.plugins.listener import MAX_LISTENERS, BoundSocket, Configuration, Listener
from corepool.spec.dispatcher import Dispatcher
from corepool.spec.scaler import Scaler
from corepool.spec.transport import Endpoint, Transport
from corepool.system.identity import file_rights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from corepool.config.settings import ListenerSettings, PoolSettings, Settings
    from corepool.launch.places import Places
    from corepool.master.inheritance import Inheritance
    from corepool.plugins.registry import Kind, Made, Registry
    from corepool.system.identity import Identity

log = logging.getLogger(__name__)

_RESERVED_DESCRIPTORS = 32
"""Descriptors a worker needs besides its connections: the loop's own, the channel, the log, some files of the
application. Connections beyond `ulimit -n` less this could be accepted but not held."""


class Plan:
    """The plugins and sockets of a configuration, as far as they can be made; `mistakes` has the reasons."""

    def __init__(
        self, settings: Settings, registry: Registry, places: Places, serving: Iterable[Listener] = ()
    ) -> None:
        """Make the plugins; nothing is bound yet.

        :param serving: the present configurations: if nothing about a listener has changed, its plugins are kept,
            with everything that they have opened.
        """
        self._serving = {listener.name: listener for listener in serving}
        self.mistakes = Mistakes()
        self.doubts: list[str] = []
        self._settings = settings
        self._places = places
        self._registry = registry
        self._rights = file_rights(settings.process)
        self._scalers = [
            self._make_scaler(settings.where_is_pool(index), pool) for index, pool in enumerate(settings.pools)
        ]
        self._wanted: list[Wanted] = []
        self._cells = self._place([name for each in settings.listener for name in places_of(each)])
        sharing: list[Sharing] = []
        for index, each in enumerate(settings.listener):
            where = f"listener[{index}]"
            listener = self._make_listener(where, each, sharing)
            for position, url in enumerate(each.bind):
                self._add_endpoints(f"{where}.bind[{position}]", url, each, listener)
        for mistake in (*find_contradictions(sharing), *find_unlike_metrics(sharing), *find_overlaps(self._wanted)):
            self.mistakes.add(mistake)
        self.doubts += doubts_about_timeouts(self._wanted)
        for mistake in obstacles_to_proxies(self._wanted):
            self.mistakes.add(mistake)

    def examine(self, mistakes: Mistakes) -> list[Remark]:
        """Find the addresses on which this system would not let the pool listen, without binding any for good.

        :returns: remarks about those on which it would.
        """
        return examine(self._wanted, mistakes)

    def finish(self) -> None:
        """Raise ConfigError with every mistake, if there are any."""
        self.mistakes.finish()

    def bind(
        self,
        identity: Identity,
        open_already: Iterable[BoundSocket] = (),
        inheritance: Inheritance | None = None,
    ) -> list[Configuration]:
        """Bind every address.

        :param identity: the user that the workers run as.
        :param open_already: of these sockets those still wanted are taken over, with the clients in their backlogs.
        :param inheritance: the sockets of the master before this one, if there was one, for the same purpose.
        :returns: what each pool serves.
        :raises ConfigError: with every mistake; nothing new is left bound.
        """
        before = list(open_already)
        bound = bind(self._wanted, self._places.next_socket, before, inheritance, self.mistakes.copy())
        self._places.take(self._cells)
        warn(self.doubts, bound, before)
        return [
            self._configuration(index, [each for each in bound if each.listener.pool == index], identity)
            for index in range(len(self._settings.pools))
        ]

    def _configuration(self, index: int, bound: Sequence[BoundSocket], identity: Identity) -> Configuration:
        settings, scaler = self._settings.pools[index], self._scalers[index]
        assert scaler is not None
        least, most = _workers_of(settings)
        return Configuration(_within_descriptor_limit(settings), identity, scaler, least, most, tuple(bound))

    def _make_scaler(self, where: str, pool: PoolSettings) -> Scaler | None:
        options = dict(pool.scaler_options)
        made = self._create("scalers", pool.scaler, options, f"{where}.scaler", f"{where}.scaler_options")
        scaler = None if made is None else made.plugin
        if scaler is not None and not isinstance(scaler, Scaler):
            self.mistakes.add(f"{where}.scaler: {pool.scaler!r} does not derive from corepool.Scaler")
            return None
        return scaler

    def _place(self, names: Sequence[str]) -> Mapping[str, ListenerPlace]:
        if len(names) <= MAX_LISTENERS:
            return self._places.of_listeners(names)
        self.mistakes.add(
            f"listener: there are {len(names)} listeners and protocols of listeners with several; "
            f"at most {MAX_LISTENERS} are counted"
        )
        return dict.fromkeys(names, ListenerPlace(0))

    def _make_listener(self, where: str, settings: ListenerSettings, sharing: list[Sharing]) -> Listener | None:
        """Make a listener's plugins; with a mistake in one of them, the others are made to find theirs."""
        pool_index = self._settings.pool_of(settings) or 0  # without a pool: a mistake that is known already
        pool, its_place = self._settings.pools[pool_index], self._settings.where_is_pool(pool_index)
        if settings.bind_per_worker and settings.dispatcher is None:
            dispatcher_name, dispatcher_where, dispatcher_options = "kernel", f"{where}.bind_per_worker", {}
        elif settings.dispatcher is None:
            dispatcher_name, dispatcher_where = pool.dispatcher, f"{its_place}.dispatcher"
            dispatcher_options = dict(pool.dispatcher_options)
        else:
            dispatcher_name, dispatcher_where = settings.dispatcher, f"{where}.dispatcher"
            dispatcher_options = dict(settings.dispatcher_options)
        made: dict[str, Made | None] = {}
        for name in settings.protocol_names:
            its, its_options = settings.where_is(name)
            options = dict(settings.options_of(name))
            made[name] = self._create("protocols", name, options, f"{where}.{its}", f"{where}.{its_options}")
        chooser = self._create(
            "dispatchers",
            dispatcher_name,
            dispatcher_options,
            dispatcher_where,
            dispatcher_where + "_options",
        )
        dispatcher = None if chooser is None else chooser.plugin
        created = self._make_extensions(where, settings)
        extensions = [each for each in created if each is not None]
        if dispatcher is not None and not isinstance(dispatcher, Dispatcher):
            self.mistakes.add(f"{dispatcher_where}: {dispatcher_name!r} does not derive from corepool.Dispatcher")
            dispatcher = None
        if settings.bind_per_worker and dispatcher is not None:
            for obstacle in obstacles_to_own_addresses(pool, dispatcher_name, dispatcher):
                self.mistakes.add(f"{where}.bind_per_worker = true: {obstacle}")
        self.doubts += doubts_about_proxies(where, settings, dispatcher_name, dispatcher)
        ready = {name: each for name, each in made.items() if each is not None}
        if not ready or len(ready) < len(made):
            return None
        protocols = {name: each.plugin for name, each in ready.items()}
        made_with = tuple(each.options for each in (*ready.values(), *extensions))
        types = tuple(type(each.plugin) for each in extensions)
        before = self._serving.get(settings.name)
        chained = None if before is None else chained_before(before, settings, protocols, made_with, types)
        if chained is not None:
            protocols = {each.name: each.protocol for each in chained.served}
        else:
            plugins = [each.plugin for each in extensions]
            chained = chain_up(where, settings, protocols, plugins, self._cells, self.mistakes)
        workers = _workers_of(pool)[1]
        plugins_of = {f"protocol {name!r}": each for name, each in protocols.items()}
        named = zip(settings.extensions, created, strict=True)
        plugins_of |= {f"extension {name!r}": each.plugin for name, each in named if each is not None}
        for name, plugin in plugins_of.items():
            can_share: object = getattr(plugin, "max_workers", None)
            sharing.append(Sharing(where, settings.name, pool_index, plugin, workers))
            if isinstance(can_share, int) and workers > can_share:
                self.mistakes.add(
                    f"{its_place}.workers: {where} can't be served by {workers} workers: "
                    f"{name} with these options is for {can_share}"
                )
        add_mistakes(where, settings, protocols, self.mistakes)
        if settings.keep_on_crash:
            chains = {} if chained is None else {each.name: each.chain for each in chained.served}
            for obstacle in obstacles_to_keeping(dispatcher_name, dispatcher, chains):
                self.mistakes.add(f"{where}.keep_on_crash = true: {obstacle}")
        if dispatcher is None or chained is None or len(extensions) < len(created):
            return None
        return Listener(
            self._cells[settings.name],
            pool_index,
            settings,
            dispatcher_name,
            dispatcher,
            chained.served,
            made_with,
            types,
            chained.entrance,
        )

    def _make_extensions(self, where: str, settings: ListenerSettings) -> list[Made | None]:
        """Make the extensions of a listener, with options whose name is misspelt, too: that is a mistake, known."""
        unlisted = [name for name in settings.extension_options if name not in settings.extensions]
        created: list[Made | None] = []
        for position, name in enumerate(settings.extensions):
            its = f"{where}.extensions[{position}]"
            options = name if name in settings.extension_options else next(iter(nearest(name, unlisted)), name)
            unlisted = [each for each in unlisted if each != options]
            values = dict(settings.extension_options.get(options, {}))
            created.append(self._create("extensions", name, values, its, f"{where}.extension_options.{options}"))
        for name in unlisted:
            if name in self._registry.names("extensions"):  # it may have mistakes, too
                its = f"{where}.extension_options.{name}"
                self._create("extensions", name, settings.extension_options[name], its, its)
        return created

    def _add_endpoints(self, where: str, url: str, settings: ListenerSettings, listener: Listener | None) -> None:
        if not settings.bind_per_worker:
            self._add_endpoint(where, url, settings, listener, None)
            return
        pool = self._settings.pools[self._settings.pool_of(settings) or 0]
        for slot in range(_workers_of(pool)[1]):
            try:
                own = url_of_worker(url, slot)
            except ValueError as error:
                self.mistakes.add(f"{where} = {spell_value(url)}: {error}")
                return
            self._add_endpoint(where, own, settings, listener, slot)

    def _add_endpoint(
        self, where: str, url: str, settings: ListenerSettings, listener: Listener | None, slot: int | None
    ) -> None:
        try:
            endpoint = replace(Endpoint.parse(url), rights=self._rights)
        except ValueError as error:
            self.mistakes.add(f"{where} = {spell_value(url)}: {error}")
            return
        query = {key: Untyped(value) for key, value in endpoint.query.items()}
        made = self._create("transports", endpoint.scheme, query, f"{where} = {spell_value(url)}", where)
        if made is None:
            return
        transport = made.plugin
        if not isinstance(transport, Transport):
            self.mistakes.add(f"{where}: {endpoint.scheme!r} does not derive from corepool.Transport")
            return
        try:
            transport.check(endpoint)
        except ValueError as error:
            self.mistakes.add(f"{where} = {spell_value(url)}: {error}")
            return
        except KeyboardInterrupt:  # the operator's
            raise
        except HOOK_ERRORS as error:
            self.mistakes.add(f"{where} = {spell_value(url)}: its transport failed: {spell_failure(error)}", error)
            return
        if settings.keep_on_crash and transport.has_layers:
            self.mistakes.add(
                f"{where}: keep_on_crash needs a transport that keeps no per-connection state in the worker"
            )
        self._wanted.append(Wanted(where, settings, listener, endpoint, transport, slot))

    def _create(
        self, kind: Kind, name: str, options: Mapping[str, object], where: str, options_where: str
    ) -> Made | None:
        try:
            return self._registry.create(kind, name, options, options_where)
        except ConfigError as error:
            for mistake in error.mistakes:
                self.mistakes.add(mistake)
        except PluginError as error:
            self.mistakes.add(f"{where}: {error}", error.__cause__)
        except CorepoolError as error:
            self.mistakes.add(f"{where}: {error}")
        except KeyboardInterrupt:  # the operator's
            raise
        except HOOK_ERRORS as error:  # a plugin's constructor: the mistake is its author's
            self.mistakes.add(f"{where}: {name!r} can't be made: {spell_failure(error)}", error)
        return None


def _workers_of(pool: PoolSettings) -> tuple[int, int]:
    """Return the least and the most workers of a pool."""
    match pool.workers:
        case "auto":
            least = most = available_cpus()
        case WorkersRange(min=least, max=most):
            pass
        case int(least):
            most = least
    return least, most


def _within_descriptor_limit(pool: PoolSettings) -> PoolSettings:
    """Lower `max_connections` to what a worker can hold."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(1, limit - _RESERVED_DESCRIPTORS)
    if limit == resource.RLIM_INFINITY or pool.max_connections <= most:
        return pool
    events.max_connections_lowered(log, configured=pool.max_connections, lowered=most, nofile=limit)
    return pool.model_copy(update={"max_connections": most})
