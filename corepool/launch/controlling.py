"""The control socket of a pool, and the name that the pool gets with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from corepool.config.runtime import names_for, place_of, wanted_name
from corepool.errors import ControlError, ControlSocketTakenError
from corepool.launch import events
from corepool.master.control import ControlSocket

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
        places = [inherited._replace(configuration=origin.configuration)]
        warn_of_other_name(settings, origin, inherited.name)
    else:
        names = names_for(wanted_name(settings, origin), origin.configuration)
        places = [place_of(name, origin.configuration) for name in names]
    if settings.control.socket is not None:
        return _open_elsewhere(Path(settings.control.socket), places, commands, is_upgrade=is_upgrade)
    reason: ControlError | None = None
    for place in places:
        control = ControlSocket(place.path, commands, place)
        try:
            control.listen(beside=is_upgrade)
        except ControlSocketTakenError as error:
            reason = reason or error
        except ControlError as error:
            reason = error
            break
        else:
            _tell_of_other_name(place, places)
            return control, place
    events.control_socket_unavailable(log, reason=reason)
    return control, places[0]


def warn_of_other_name(settings: Settings, origin: Origin, name: str) -> None:
    """Warn if the configuration, read again, wants another name than the pool has."""
    names = names_for(wanted_name(settings, origin), origin.configuration)
    if name not in names and not name.startswith(f"{names[0]}-"):
        events.name_needs_restart(log, name=name, configured=names[0])


def _open_elsewhere(
    path: Path, places: list[Place], commands: Mapping[str, Command], *, is_upgrade: bool
) -> tuple[ControlSocket, Place]:
    """Listen at the path that the operator has chosen, and link it in the run-time folder."""
    control = ControlSocket(path, commands, places[0])
    control.listen(beside=is_upgrade)
    if is_upgrade:
        return control, places[0]  # linked when it takes its place
    reason: Exception | None = None
    for place in places:
        try:
            control.link(place)
        except (OSError, ControlError) as error:
            reason = reason or error
        else:
            _tell_of_other_name(place, places)
            return control, place
    events.pool_not_listed(log, path=path, reason=reason)
    return control, places[0]


def _tell_of_other_name(place: Place, places: list[Place]) -> None:
    if place is not places[0]:
        events.pool_renamed(log, name=place.name, wanted=places[0].name, path=place.path)
