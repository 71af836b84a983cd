"""The protocols of a listener, made by their plugins: their chains of hooks, and the mistakes that only they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from corepool.config.mistakes import spell_value
from corepool.errors import PluginError
from corepool.guards import HOOK_ERRORS
from corepool.ipc.metric_cells import Layout
from corepool.launch.mistakes import spell_failure
from corepool.plugins import recognition
from corepool.plugins.chain import Chain
from corepool.plugins.listener import Served

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from corepool.config.settings import ListenerSettings
    from corepool.ipc.scoreboard import ListenerPlace
    from corepool.launch.mistakes import Mistakes
    from corepool.plugins.listener import Listener


class Chained(NamedTuple):
    """The protocols of a listener with their chains, and the chain of connections that have none yet."""

    served: tuple[Served, ...]
    entrance: Chain | None


def places_of(settings: ListenerSettings) -> list[str]:
    """List the names of the places that a listener has on the scoreboard: its own, and those of several protocols."""
    names = settings.protocol_names
    return [settings.name, *(place_name(settings, name) for name in names if len(names) > 1)]


def place_name(settings: ListenerSettings, protocol: str) -> str:
    """Return the name of the place that a protocol of a listener has on the scoreboard."""
    return settings.name if len(settings.protocol_names) == 1 else f"{settings.name}/{protocol}"


def chained_before(
    before: Listener,
    settings: ListenerSettings,
    protocols: Mapping[str, object],
    made_with: tuple[BaseModel | None, ...],
    extension_types: tuple[type, ...],
) -> Chained | None:
    """Return the protocols of a listener that is served already, if nothing about its plugins has changed."""
    if (
        _plugins_in(before.settings) == _plugins_in(settings)
        and before.made_with == made_with
        and [type(each.protocol) for each in before.served] == list(map(type, protocols.values()))
        and before.extension_types == extension_types
    ):
        return Chained(before.served, before.entrance)
    return None


def _plugins_in(settings: ListenerSettings) -> object:
    names = settings.protocol_names
    options = [settings.options_of(each) for each in names]
    return names, options, settings.extensions, settings.extension_options


def chain_up(
    where: str,
    settings: ListenerSettings,
    protocols: Mapping[str, object],
    extensions: Sequence[object],
    places: Mapping[str, ListenerPlace],
    mistakes: Mistakes,
) -> Chained | None:
    """Make the chains of the hooks of a listener's plugins; None: they have mistakes.

    :param protocols: by name, in the order of the configuration.
    """
    is_single = len(protocols) == 1
    served: list[Served] = []
    try:
        entrance = None if is_single else Chain(None, extensions)
        for name, protocol in protocols.items():
            chain = Chain(protocol, extensions, None if is_single else [protocol])
            served.append(Served(name, protocol, chain, places[place_name(settings, name)]))
    except PluginError as error:
        mistakes.add(f"{where}: {error}")
        return None
    return Chained(tuple(served), entrance)


def add_mistakes(where: str, settings: ListenerSettings, protocols: Mapping[str, object], mistakes: Mistakes) -> None:
    """Find metrics that can't be laid out, and protocols that would never be chosen."""
    for name, protocol in protocols.items():
        try:
            Layout(getattr(protocol, "metrics", ()))
        except (TypeError, ValueError, AttributeError) as error:
            mistakes.add(f"{where}: protocol {name!r}: {error}")
    if len(protocols) < 2 or settings.default not in (None, *protocols):
        return
    try:
        for name, mistake in recognition.find_mistakes(list(protocols.items()), settings.default):
            mistakes.add(f"{where}.{settings.where_is(name)[0]} = {spell_value(name)}: {mistake}")
    except KeyboardInterrupt:  # the operator's
        raise
    except HOOK_ERRORS as error:
        mistakes.add(f"{where}.protocols: `matches` of one has failed: {spell_failure(error)}", error)
