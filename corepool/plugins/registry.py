"""Plugins by kind and name: a typed look-up over entry points whose errors name the distribution.

Only plugins that the configuration names are imported. Loading is our own loop, since pluggy's lets a broken
plugin's ImportError escape and silently skips a name that is already taken.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from corepool.config.plugin_options import is_options, validate_options
from corepool.config.suggest import did_you_mean
from corepool.errors import ConfigError, PluginError
from corepool.guards import HOOK_ERRORS
from corepool.logs.tracebacks import spell_place
from corepool.plugins.entries import entries_of
from corepool.plugins.references import is_reference, load_reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel

    from corepool.plugins.entries import Entry

Kind = Literal["protocols", "dispatchers", "transports", "extensions", "scalers"]
KINDS: tuple[Kind, ...] = ("protocols", "dispatchers", "transports", "extensions", "scalers")

API_VERSION = 1

_GROUPS = "corepool."

_CONSTRUCTORS = (
    "; a class with `Options` (a BlockingProtocol inherits one) is made with them: `def __init__(self, options)`; "
    "a class without, with nothing"
)


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed plugin: its name, and the distribution that brought it."""

    kind: str
    name: str
    distribution: str
    version: str
    target: str


class Made(NamedTuple):
    """A plugin as the configuration wants it, and the options it was made with."""

    plugin: object
    options: BaseModel | None


class Registry:
    """The installed plugins. Reads the metadata once, when made."""

    def __init__(self, found: Iterable[Entry] | None = None) -> None:
        """Take the entry points given, or those of the environment."""
        if found is None:
            found = entries_of(_GROUPS)
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in found:
            kind = entry.group.removeprefix(_GROUPS)
            entries = self._entries.setdefault((kind, entry.name), [])
            if entry not in entries:
                entries.append(entry)

    def installed(self) -> list[Plugin]:
        """List every plugin, by kind and name."""
        return [each for kind in KINDS for each in self._of_kind(kind)]

    def others(self) -> list[Plugin]:
        """List plugins in groups that corepool doesn't read: kinds that plugins define themselves, or misspelt ones."""
        kinds = dict.fromkeys(sorted(kind for kind, _ in self._entries if kind not in KINDS))
        return [each for kind in kinds for each in self._of_kind(kind)]

    def fault(self, plugin: Plugin) -> str | None:
        """Import a plugin, and return its mistake, if it has one."""
        try:
            if plugin.kind in KINDS:
                self.load(plugin.kind, plugin.name)
            else:
                for entry in self._entries[plugin.kind, plugin.name]:
                    _import(entry, plugin.kind)
        except PluginError as error:
            return str(error)
        return None

    def _of_kind(self, kind: str) -> list[Plugin]:
        return [
            Plugin(kind, entry.name, _distribution(entry), entry.dist.version if entry.dist else "?", entry.value)
            for (its_kind, _), entries in sorted(self._entries.items())
            if its_kind == kind
            for entry in entries
        ]

    def names(self, kind: Kind) -> list[str]:
        """List the names of one kind."""
        return sorted(name for its_kind, name in self._entries if its_kind == kind)

    def load(self, kind: Kind, name: str) -> type:
        """Import the class that the plugin `name` points to.

        :raises PluginError: unknown name (with the installed ones and the nearest), a name that two
            distributions claim, a failing import, something that is not a class, or a newer contract.
        """
        singular = kind.removesuffix("s")
        if kind == "extensions" and is_reference(name):
            return load_reference(name)
        entries = self._entries.get((kind, name))
        if entries is None:
            installed = self.names(kind)
            raise PluginError(
                f"no {singular} named {name!r}{did_you_mean(name, installed)}; "
                f"installed: {', '.join(installed) or 'none'}"
            )
        if len(entries) > 1:
            claimants = " and ".join(sorted(_distribution(entry) for entry in entries))
            raise PluginError(f"{singular} {name!r} is claimed by {claimants}; uninstall one of them")
        (entry,) = entries
        loaded = _import(entry, kind)
        if not isinstance(loaded, type):
            raise PluginError(f"{_origin(entry, kind)} is not a class but {loaded!r}")
        version = getattr(loaded, "api_version", API_VERSION)
        if version != API_VERSION:
            origin = _origin(entry, kind)
            raise PluginError(f"{origin} targets plugin API version {version}; this corepool supports {API_VERSION}")
        return loaded

    def create(self, kind: Kind, name: str, options: Mapping[str, object], where: str) -> Made:
        """Load a plugin and make an instance of it with `options`.

        :param where: key path of the options in the configuration, for messages.
        :raises PluginError: as `load` does, and if the class can't be called with these arguments.
        :raises Exception: any exception of the plugin's constructor.
        :raises ConfigError: with every mistake in the options.
        """
        plugin = self.load(kind, name)
        model: object = getattr(plugin, "Options", None)
        if model is None:
            if options:
                singular = kind.removesuffix("s")
                raise ConfigError([f"{where}: {singular} {name!r} takes no options; got {', '.join(options)}"])
            return Made(_make(plugin), None)
        if not is_options(model):
            raise PluginError(f"{plugin.__module__}.{plugin.__qualname__}.Options must derive from corepool.Options")
        validated = validate_options(model, options, where)
        return Made(_make(plugin, validated), validated)


def _origin(entry: Entry, kind: str) -> str:
    singular = kind.removesuffix("s")
    return f"{singular} {entry.name!r} of distribution {_distribution(entry)!r} (entry point {entry.value})"


def _import(entry: Entry, kind: str) -> object:
    """Import the object that an entry point names.

    :raises PluginError: that fails; caused by the exception, if it was raised in the plugin's code.
    """
    try:
        loaded: object = entry.load()
    except KeyboardInterrupt:  # the operator's
        raise
    except HOOK_ERRORS as error:  # a third party's module runs its code when it is imported
        place = spell_place(error)
        # Without a place nothing of the plugin has run: the entry point names a missing object.
        cause = error if place else None
        reason = f"{type(error).__name__}: {error}{place}"
        raise PluginError(f"{_origin(entry, kind)} can't be imported: {reason}") from cause
    return loaded


def _make(plugin: type, *options: BaseModel) -> object:
    try:
        return plugin(*options)
    except TypeError as error:
        # Raised by the call itself: nothing of the plugin has run.
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise
        rule = "" if inspect.isabstract(plugin) else _CONSTRUCTORS
        raise PluginError(f"{plugin.__module__}.{plugin.__qualname__} can't be made: {error}{rule}") from None


def _distribution(entry: Entry) -> str:
    return entry.dist.name if entry.dist else "unknown"
