"""Settings from the environment: COREPOOL_SECTION_KEY, and variables that platforms set for every server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from corepool.config.annotations import typed
from corepool.config.settings import ControlSettings, LogSettings, PoolSettings, ProcessSettings
from corepool.config.suggest import nearest
from corepool.spec.plain_values import is_plainly_right

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

PREFIX = "COREPOOL_"

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "pool": PoolSettings,
    "process": ProcessSettings,
    "control": ControlSettings,
    "log": LogSettings,
}

# Kubernetes sets these in every pod beside a service named "corepool" or "corepool-...": not our settings.
_OF_A_SERVICE = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=\d+|PORT=(tcp|udp|sctp)://.*|PORT_\d+_\w+=.*)"
)


_OF_THE_BUILD = f"{PREFIX}COMPILE"
"""Read when corepool is installed (hatch_build.py); an image may set it for good."""


def values_of(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str, object]]:
    """Yield section, key, variable and value of each variable that stands for a setting."""
    known = _settings()
    for variable, text in _ours(environment):
        found = known.get(variable.upper())
        if found is not None:
            section, key = found
            yield section, key, variable, value_from_text(_SECTIONS[section], key, text)


def mistakes_in(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the mistake in each variable that looks like ours, but stands for no setting."""
    known = _settings()
    for variable, _ in _ours(environment):
        name = variable.upper()
        if name in known:
            continue
        if name.startswith(f"{PREFIX}LISTENER"):
            yield f"{variable}: listeners can't be set by the environment"
            continue
        rest = name.removeprefix(PREFIX)
        # Without the prefix: as part of every name it would make them all similar.
        near = [full for full, (_, key) in known.items() if key.upper() == rest] or [
            PREFIX + each for each in nearest(rest, [full.removeprefix(PREFIX) for full in known])
        ]
        if near:
            yield f"{variable}: unknown key (did you mean {' or '.join(map(repr, near))}?)"
        else:
            sections = ", ".join(f"{PREFIX}{section.upper()}_..." for section in _SECTIONS)
            yield f"{variable}: unknown key; variables of corepool are {sections}"


def _ours(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable, text in sorted(environment.items()):
        if variable == _OF_THE_BUILD:
            continue
        if variable.startswith(PREFIX) and not _OF_A_SERVICE.fullmatch(f"{variable}={text}"):
            yield variable, text


def _settings() -> dict[str, tuple[str, str]]:
    """Return the section and key of each setting, by the name of its variable."""
    return {
        f"{PREFIX}{section}_{key}".upper(): (section, key)
        for section, model in _SECTIONS.items()
        for key in model.model_fields
    }


def value_from_text(model: type[BaseModel], key: str, text: str) -> object:
    """Read a text as its key wants it: as it is ("30s", "auto"), else as TOML would (4, true, {min = 1, max = 2})."""
    for value in (text, typed(model.model_fields[key].annotation, text)):
        if is_plainly_right(model, key, value):
            return value
    try:
        model.model_validate({key: text})
    except ValueError:
        pass
    else:
        return text
    import tomli  # noqa: PLC0415 - most variables are texts

    try:
        return tomli.loads(f"value = {text}")["value"]
    except (tomli.TOMLDecodeError, ValueError, RecursionError):
        return text
