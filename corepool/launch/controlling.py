"""The control socket of a pool, and the name that the pool gets with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.config.runtime import names_for, place_of, wanted_name
from corepool.errors import ControlError, ControlSocketTakenError
from corepool.launch import events
from corepool.master.control import ControlSocket
from corepool.master.events import pool_not_listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.config.runtime import Origin, Place
    from corepool.config.settings import Settings
    from corepool.master.commands import Command

log = logging.getLogger(__name__)


def open_control(
    settings: Settings, origin: Origin, commands: Mapping[str, Command], inherited: Place | None, *, is_upgrade: bool
) -> tuple[ControlSocket, Place]:
    """Listen for commands.

    :param inherited: the place of the master before this one: the pool keeps its name.
    :param is_upgrade: that one still answers.
    :returns: the socket, which does not listen if there is no place for it, and the place.
    :raises ControlError: the path that was asked for is taken, or can't be made.
    """
    if inherited is not None:
        warn_of_other_name(settings, origin, inherited)
    takes_over = is_upgrade and inherited is not None and inherited.is_listed
    if inherited is not None and inherited.is_listed:
        places = [inherited._replace(configuration=origin.configuration)]
    else:  # a path that the master before this one didn't get may be another pool's: it is asked for as at a start
        wanted = wanted_name(settings, origin) if inherited is None else inherited.wanted
        names = names_for(wanted, origin.configuration)
        places = [place_of(name, origin.configuration)._replace(wanted=names[0]) for name in names]
    if settings.control.socket is not None:
        path = Path(settings.control.socket)
        if not takes_over:
            return _open_elsewhere(path, places, commands, is_upgrade=is_upgrade)
        control = ControlSocket(path, commands, places[0])
        control.listen(beside=True)
        return control, places[0]  # linked when it takes its place
    reason: ControlError | None = None
    for place in places:
        control = ControlSocket(place.path, commands, place)
        try:
            control.listen(beside=takes_over)
        except ControlSocketTakenError as error:
            reason = reason or error
        except ControlError as error:
            reason = error
            break
        else:
            _tell_of_other_name(place, places)
            return control, place
    events.control_socket_unavailable(log, reason=reason)
    return control, places[0]._replace(is_listed=False)


def warn_of_other_name(settings: Settings, origin: Origin, place: Place) -> None:
    """Warn if the configuration, read again, wants another name for the pool than it did."""
    configured = names_for(wanted_name(settings, origin), origin.configuration)[0]
    if configured not in (place.wanted, place.name):
        events.name_needs_restart(log, name=place.name, configured=configured)


def _open_elsewhere(
    path: Path, places: list[Place], commands: Mapping[str, Command], *, is_upgrade: bool
) -> tuple[ControlSocket, Place]:
    """Listen at the path that the operator has chosen, and link it in the run-time folder."""
    unlisted = places[0]._replace(is_listed=False)
    control = ControlSocket(path, commands, unlisted)
    control.listen(beside=is_upgrade)
    reason: Exception | None = None
    for place in places:
        try:
            control.link(place)
        except (OSError, ControlError) as error:
            reason = reason or error
        else:
            _tell_of_other_name(place, places)
            return control, place
    pool_not_listed(log, path=path, reason=reason)
    return control, unlisted


def _tell_of_other_name(place: Place, places: list[Place]) -> None:
    if place is not places[0]:
        events.pool_renamed(log, name=place.name, wanted=places[0].name, path=place.path)
