"""Settings from the environment: COREPOOL_SECTION_KEY, and what platforms set for every server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tomli
from pydantic import ValidationError

from corepool.config.settings import ControlSettings, LogSettings, PoolSettings, ProcessSettings

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

# Kubernetes sets these in every pod beside a service named "corepool" or "corepool-...": no settings of ours.
_OF_A_SERVICE = re.compile(
    rf"{PREFIX}(\w+_)?(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=\d+|PORT=(tcp|udp|sctp)://.*|PORT_\d+_\w+=.*)"
)


def values_of(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str, object]]:
    """Give section, key, variable and value of each variable that is ours.

    One that names no section is given with the section "" and its own name as the key: a mistake, to be told as
    any other key that is not known.
    """
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or _OF_A_SERVICE.fullmatch(f"{variable}={text}"):
            continue
        rest = variable.removeprefix(PREFIX).lower()
        section = next((name for name in _SECTIONS if rest.startswith(f"{name}_")), "")
        if section:
            key = rest.removeprefix(f"{section}_")
            yield section, key, variable, _value(_SECTIONS[section], key, text)
        else:
            yield "", variable, variable, text


def _value(model: type[BaseModel], key: str, text: str) -> object:
    """Read a text as its key wants it: as it is ("30s", "auto"), else as TOML would (4, true, {min = 1, max = 2})."""
    try:
        model.model_validate({key: text})
    except ValidationError:
        pass
    else:
        return text
    try:
        return tomli.loads(f"value = {text}")["value"]
    except (tomli.TOMLDecodeError, ValueError, RecursionError):
        return text
