"""The hook chain of one listener: pluggy decides its members and their order, once; calls are plain.

A pluggy call costs 1.4 us, a bound method 0.05: so each hook is resolved at start to the cheapest callable
that behaves the same. With one implementation that is the plugin's own method; with several, a loop;
with wrappers, pluggy's caller itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pluggy
from pluggy import PluginValidationError

from corepool.errors import PluginError
from corepool.guards import HOOK_ERRORS
from corepool.plugins.freezing import Freezer
from corepool.plugins.signatures import check_hooks, expected, hook_names
from corepool.spec import hookspecs
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from corepool.spec.connection import Connection
    from corepool.spec.types import ExitStatus, PoolInfo, TimeoutKind, WorkerInfo
    from corepool.spec.worker import Worker


_OF_PROCESSES = (
    "on_start",
    "on_worker_start",
    "on_ready",
    "on_reload",
    "on_message",
    "on_worker_stop",
    "on_child_exit",
    "on_signal",
    "on_stop",
)


class Chain:
    """The flattened hooks of one listener. A hook that no plugin implements is None.

    A listener with several protocols has a chain for each, in which all hooks of connections but `on_accept` are those
    of the extensions and that protocol; and one of its extensions alone, for connections without a protocol yet.
    """

    on_start: Callable[[PoolInfo], object] | None
    on_worker_start: Callable[[Worker], object] | None
    on_ready: Callable[[PoolInfo], object] | None
    on_reload: Callable[[PoolInfo], object] | None
    on_accept: Callable[[Connection], object] | None
    on_readable: Callable[[Connection], object] | None
    on_writable: Callable[[Connection], object] | None
    on_timeout: Callable[[Connection, TimeoutKind], object] | None
    on_tls: Callable[[Connection], object] | None
    on_close: Callable[[Connection, CloseReason], object] | None
    on_drain: Callable[[Connection], object] | None
    on_lost: Callable[[Connection], object] | None
    on_message: Callable[[Worker, bytes, bytes], object] | None
    on_worker_stop: Callable[[Worker], object] | None
    on_child_exit: Callable[[WorkerInfo, ExitStatus], object] | None
    on_signal: Callable[[int], object] | None
    on_stop: Callable[[PoolInfo], object] | None

    members: tuple[object, ...]
    """The plugins whose hooks it calls."""

    freezer: Freezer
    """Freezes and thaws its connections."""

    counts_requests: bool
    """Whether the protocol counts its requests by itself."""

    welcome: Callable[[Connection], object] | None
    """The protocol's own `on_accept`: for a connection that its extensions know already."""

    def __init__(
        self, protocol: object | None, extensions: Sequence[object] = (), owned: Collection[object] | None = None
    ) -> None:
        """Resolve the chain of `extensions`, in this order, and then `protocol`.

        :param protocol: None: of a connection that has none yet.
        :param owned: the plugins whose `on_accept` and hooks of processes this chain calls, since another one of the
            listener calls those of the rest; None: all.
        :raises PluginError: a hook that no specification knows, or one with the wrong arguments.
        """
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        protocols = () if protocol is None else (protocol,)
        # pluggy calls the last registered first.
        for plugin in (*protocols, *reversed(extensions)):
            check_hooks(plugin)
            try:
                manager.register(plugin)
            except PluginValidationError as error:
                raise PluginError(f"{_name(plugin)}: {' '.join(str(error).split())}") from None
        self.freezer = Freezer(manager, extensions, protocol)
        self.counts_requests = getattr(protocol, "counts_requests", False)
        known = [*extensions, *protocols]
        self.members = tuple(known)
        others = [] if owned is None else [each for each in known if not any(each is one for one in owned)]
        for name in set(hook_names()) - {"on_freeze", "on_thaw"}:
            is_owned = name == "on_accept" or name in _OF_PROCESSES
            setattr(self, name, _flatten(_caller(manager, name, others if is_owned else ())))
        self.welcome = _flatten(_caller(manager, "on_accept", extensions))
        if extensions and owned is None and self.on_accept is not None and self.on_close is not None:
            self._tell_the_end_of_what_was_met(manager, known, protocol)
        if protocols and not any(each.plugin is protocol for each in manager.hook.on_readable.get_hookimpls()):
            raise PluginError(f"{_name(protocol)} has no on_readable hook; expected {expected('on_readable')}")
        for extension in extensions:
            if not manager.get_hookcallers(extension):
                raise PluginError(f"{_name(extension)} has no hook at all; hooks: {', '.join(hook_names())}")

    def _tell_the_end_of_what_was_met(
        self, manager: pluggy.PluginManager, order: Sequence[object], protocol: object | None
    ) -> None:
        """Keep the end of a refused connection from plugins that never met it: they would look for a session.

        Which plugins a connection has met is noted only when an extension ends it; other connections cost a test.
        """
        hook = manager.hook
        accepting, closing = hook.on_accept.get_hookimpls()[::-1], hook.on_close.get_hookimpls()[::-1]
        if any(each.wrapper or each.hookwrapper for each in (*accepting, *closing)):
            return  # pluggy itself calls those
        assert hook.on_accept.spec is not None
        assert hook.on_close.spec is not None
        asked, told = hook.on_accept.spec.argnames, hook.on_close.spec.argnames
        place = {id(plugin): place for place, plugin in enumerate(order)}
        greeters = [id(each.plugin) for each in accepting]
        steps: list[_Step] = []
        for count, each in enumerate(accepting, 1):
            its_place = place[id(each.plugin)]
            # A plugin without on_accept has met a connection that came as far as its place in the configuration.
            met = {key for key in place if key not in greeters and place[key] < its_place} | {*greeters[:count]}
            tells = [_accept_all(one.function, one.argnames, told) for one in closing if id(one.plugin) in met]
            call = _accept_all(each.function, each.argnames, asked)
            steps.append(_Step(call, _tell_all(tells), each.plugin is not protocol))
        assert self.on_close is not None
        self.on_accept, self.on_close = _ask_and_note(steps, self.on_close)


def _caller(manager: pluggy.PluginManager, name: str, without: Collection[object]) -> pluggy.HookCaller:
    caller: pluggy.HookCaller = getattr(manager.hook, name)
    if not any(each.plugin is one for each in caller.get_hookimpls() for one in without):
        return caller  # plugins need not be hashable here
    return manager.subset_hook_caller(name, without)


def _flatten(hook: pluggy.HookCaller) -> Callable[..., object] | None:
    implementations = list(reversed(hook.get_hookimpls()))
    if not implementations:
        return None
    assert hook.spec is not None
    names = tuple(hook.spec.argnames)
    if any(each.wrapper or each.hookwrapper for each in implementations):
        return lambda *values: hook(**dict(zip(names, values, strict=True)))
    calls = [_accept_all(each.function, each.argnames, names) for each in implementations]
    if len(calls) == 1:
        return calls[0]
    if not hook.spec.opts["firstresult"]:
        return _tell_all(calls)
    if names[0] == "conn":
        return _ask_each(calls)
    return lambda *values: hook(**dict(zip(names, values, strict=True)))


def _accept_all(function: Callable[..., object], wanted: Sequence[str], given: Sequence[str]) -> Callable[..., object]:
    """Adapt an implementation that takes fewer arguments than its specification."""
    if tuple(wanted) == tuple(given):
        return function
    positions = [given.index(name) for name in wanted]
    return lambda *values: function(*[values[position] for position in positions])


def _ask_each(calls: Sequence[Callable[..., object]]) -> Callable[..., object]:
    def ask(conn: Connection, *values: object) -> object:
        for call in calls:
            result = call(conn, *values)
            if result is not None or conn.closed:
                return result
        return None

    return ask


class _Step(NamedTuple):
    """One plugin that is asked in `on_accept`."""

    call: Callable[..., object]
    tell_the_met: Callable[..., object]
    """Calls `on_close` of the plugins that have met the connection by then."""
    is_extension: bool


def _ask_and_note(
    steps: Sequence[_Step], tell_everyone: Callable[..., object]
) -> tuple[Callable[[Connection], object], Callable[[Connection, CloseReason], object]]:
    """Make `on_accept` and `on_close` of a listener whose extensions may refuse."""
    cut: dict[int, Callable[..., object]] = {}

    def ask(conn: Connection) -> object:
        for call, tell_the_met, is_extension in steps:
            try:
                result = call(conn)
            except HOOK_ERRORS:
                cut[conn.id] = tell_the_met
                raise
            if conn.closed and is_extension:
                cut[conn.id] = tell_the_met
            if result is not None or conn.closed:
                return result
        return None

    def tell(conn: Connection, reason: CloseReason) -> object:
        tell_the_met = cut.pop(conn.id, None) if cut else None
        if tell_the_met is None:
            return tell_everyone(conn, reason)
        is_refusal = reason in (CloseReason.CLOSED, CloseReason.ABORTED)
        return tell_the_met(conn, CloseReason.REFUSED if is_refusal else reason)

    return ask, tell


def _tell_all(calls: Sequence[Callable[..., object]]) -> Callable[..., object]:
    def tell(*values: object) -> None:
        errors: list[BaseException] = []
        for call in calls:
            try:
                call(*values)
            except HOOK_ERRORS as error:  # everyone is told; then the caller logs it
                errors.append(error)
        if errors:
            raise errors[0]

    return tell


def _name(plugin: object) -> str:
    return f"{type(plugin).__module__}.{type(plugin).__qualname__}"
