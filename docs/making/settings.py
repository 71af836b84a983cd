"""The page of the configuration's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config import settings
from docs.making.text import MADE, UNITS, keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

_TABLES: Mapping[str, type[BaseModel]] = {
    "[[listener]]": settings.ListenerSettings,
    "[pool]": settings.PoolSettings,
    "[process]": settings.ProcessSettings,
    "[control]": settings.ControlSettings,
    "[log]": settings.LogSettings,
}
_HEAD = f"""\
# Settings

{MADE}
The keys of `corepool.toml`. Each key of `[pool]`, `[process]`, `[control]` and `[log]` may come from the environment,
too: `COREPOOL_POOL_WORKERS=4`; a flag is stronger than the environment, the environment stronger than the file.
`corepool config` shows where each value comes from, `corepool schema` prints all of this as JSON Schema.

{UNITS}"""


def page() -> str:
    """Write the page."""
    return "\n".join([_HEAD, *(_section(head, model) for head, model in _TABLES.items())])


def _section(head: str, model: type[BaseModel]) -> str:
    said = (model.__doc__ or "").partition(": ")[2]
    return f"## {head}\n\n{said[:1].upper()}{said[1:]}\n\n{keys_of(model)}"
