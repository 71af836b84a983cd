"""The page of the events."""

from __future__ import annotations

import logging
import pkgutil
from importlib import import_module
from importlib.metadata import distribution
from typing import TYPE_CHECKING

from corepool import Event
from docs.making.text import MADE, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_HEAD = f"""\
# Events

{MADE}
The records that corepool and its own plugins write to the log, by name ([the format](../operations.md#logs)). A record
may lack a field that has no value; one of an exception has its traceback. Events that clients, applications or the
system may cause at any rate are written once a second at most, with a field `suppressed`, the number of those that were
left out since the last one. Applications and libraries write records of their own to the same log.
"""


def catalogues() -> dict[str, list[Event[...]]]:
    """Return the events of corepool and of its plugins, by the module that has them."""
    plugins = {each.module.partition(".")[0] for each in distribution("corepool").entry_points} - {"corepool"}
    modules = [module for name in ("corepool", *sorted(plugins)) for module in _catalogues_of(import_module(name))]
    return {module.__name__: [each for each in vars(module).values() if isinstance(each, Event)] for module in modules}


def page() -> str:
    """Write the page."""
    sections = [
        f"## {name.removesuffix('.events')}\n\n{_table(events)}" for name, events in catalogues().items() if events
    ]
    return "\n".join([_HEAD, *sections])


def _catalogues_of(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name.endswith(".events"):
            yield import_module(found.name)


def _table(events: list[Event[...]]) -> str:
    rows = [
        (
            f"`{each.name}`",
            logging.getLevelName(each.level).lower(),
            ", ".join(f"`{field}`" for field in each.fields),
            each.meaning,
        )
        for each in sorted(events, key=lambda each: each.name)
    ]
    return table(["event", "level", "fields", "meaning"], rows)
