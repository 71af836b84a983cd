"""The states that the plugins of one listener hand on with a connection that moves to another worker.

A connection can be moved when every plugin that keeps something about it can hand that on: the protocol, and each
extension that hears of more than its beginning.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from corepool.errors import PluginError, ThawRefusedError
from corepool.guards import HOOK_ERRORS
from corepool.ipc.frozen import MAX_VERSION, State
from corepool.plugins import events
from corepool.spec.types import CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pluggy

    from corepool.spec.connection import Connection

log = logging.getLogger(__name__)

_STATEFUL_HOOKS = ("on_readable", "on_writable", "on_timeout", "on_close", "on_drain")
"""A plugin that implements one of these hooks is taken to keep something about each connection."""


class _StatefulPlugin(NamedTuple):
    name: str
    version: int
    freeze: Callable[[Connection], bytes | None]
    thaw: Callable[[Connection, bytes | None], object]
    close: Callable[[Connection, CloseReason], object] | None
    is_protocol: bool


class Freezer:
    """Freezes and thaws connections of one listener."""

    def __init__(self, manager: pluggy.PluginManager, extensions: Sequence[object], protocol: object | None) -> None:
        """Find out which plugins keep something.

        :param manager: knows the hooks of all of them.
        :raises PluginError: a plugin can freeze and not thaw, or the other way round, or has an odd version.
        """
        self._stateful: list[_StatefulPlugin] = []
        self.can_freeze = True
        """False: connections of this listener stay where they are."""
        for plugin in (*extensions, *(() if protocol is None else (protocol,))):
            hooks = {
                name: _implementation(manager, name, plugin) for name in ("on_freeze", "on_thaw", *_STATEFUL_HOOKS)
            }
            freeze, thaw, close = hooks["on_freeze"], hooks["on_thaw"], hooks["on_close"]
            name = f"{type(plugin).__module__}.{type(plugin).__qualname__}"
            if (freeze is None) != (thaw is None):
                raise PluginError(f"{name} has only one of on_freeze and on_thaw: each needs the other")
            if freeze is not None and thaw is not None:
                version = int(getattr(plugin, "frozen_version", 1))
                if not 0 <= version <= MAX_VERSION:
                    raise PluginError(f"{name}.frozen_version is {version}; expected 0 to {MAX_VERSION}")
                closes = None if close is None else _accepting(close, ("conn", "reason"))
                thaws = _accepting(thaw, ("conn", "state"))
                stateful = _StatefulPlugin(
                    name, version, _accepting(freeze, ("conn",)), thaws, closes, plugin is protocol
                )
                self._stateful.append(stateful)
            elif plugin is protocol or any(hooks[each] for each in _STATEFUL_HOOKS):
                self.can_freeze = False

    def freeze(self, conn: Connection) -> tuple[State, ...] | None:
        """Ask each plugin for the state that it needs elsewhere; None: one can't let go of the connection now.

        :raises TypeError: the state of a plugin is not bytes.
        """
        states: list[State] = []
        for stateful in self._stateful:
            content = stateful.freeze(conn)
            if content is None:
                return None
            if not isinstance(content, bytes):
                raise TypeError(
                    f"{stateful.name}: on_freeze gave {type(content).__name__}; it has to be bytes, or None"
                )
            states.append(State(stateful.name, stateful.version, content))
        return tuple(states)

    @property
    def ask(self) -> Callable[[Connection], object]:
        """A cheaper `freeze`, for each request; its answer is only fit to be compared with the one before."""
        return self._stateful[0].freeze if len(self._stateful) == 1 else self.freeze

    def thaw(self, conn: Connection, states: Sequence[State]) -> None:
        """Call `on_thaw` of each plugin with the state that its `on_freeze` has returned.

        :raises ThawRefusedError: a plugin can't go on with it; no other is to be told of its end any more.
        """
        self._thaw(conn, states, self._stateful)

    def thaw_extensions(self, conn: Connection, states: Sequence[State]) -> None:
        """Do so for the extensions alone: the connection had no protocol yet.

        :raises ThawRefusedError: a plugin can't go on with it; no other is to be told of its end any more.
        """
        self._thaw(conn, states, [each for each in self._stateful if not each.is_protocol])

    def _thaw(self, conn: Connection, states: Sequence[State], plugins: Sequence[_StatefulPlugin]) -> None:
        contents = {(state.plugin, state.version): state.content for state in states}
        met: list[_StatefulPlugin] = []
        try:
            for stateful in plugins:
                content = contents.get((stateful.name, stateful.version))
                if stateful.is_protocol and content is None:
                    _refuse(f"its state is not of {stateful.name} in version {stateful.version}")
                stateful.thaw(conn, content)
                met.append(stateful)
        except HOOK_ERRORS as error:
            for stateful in met:
                if stateful.close is not None:
                    try:
                        stateful.close(conn, CloseReason.REFUSED)
                    except HOOK_ERRORS as failure:  # the others are told all the same
                        events.refused_hook_failed.exception(log, failure, plugin=stateful.name)
            if isinstance(error, ValueError):
                raise ThawRefusedError(str(error)) from None
            raise


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


def _implementation(manager: pluggy.PluginManager, hook: str, plugin: object) -> pluggy.HookImpl | None:
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    return next((each for each in caller.get_hookimpls() if each.plugin is plugin), None)


def _accepting(implementation: pluggy.HookImpl, given: Sequence[str]) -> Callable[..., Any]:
    """Adapt an implementation that takes fewer arguments than its specification."""
    function = implementation.function
    if tuple(implementation.argnames) == tuple(given):
        return function
    if not implementation.argnames:
        return lambda *_: function()
    positions = [given.index(name) for name in implementation.argnames]
    return lambda *values: function(*[values[position] for position in positions])
