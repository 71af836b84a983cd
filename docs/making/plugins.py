"""The page of what comes with corepool, and its options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from docs.making.text import MADE, UNITS, keys_of, paragraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from corepool.plugins.registry import Kind, Registry

_WHERE: Mapping[Kind, str] = {
    "protocols": "`protocol = NAME` of a listener; options: `[listener.options]`, `-o key=value` of `corepool serve`.",
    "dispatchers": "`dispatcher = NAME` of the pool or of a listener; options: `dispatcher_options`.",
    "transports": "The scheme of a URL in `bind`; options: after the `?`.",
    "extensions": "`extensions = [NAME]` of a listener; options: `[listener.extension_options.NAME]`.",
    "scalers": "`scaler = NAME` of the pool; options: `scaler_options`.",
}
_HEAD = f"""\
# Plugins and their options

{MADE}
The plugins that come with corepool. `corepool plugins` lists all that are installed in your environment.

{UNITS}"""


def page(registry: Registry) -> str:
    """Write the page."""
    ours = [each for each in registry.installed() if each.distribution == "corepool"]
    parts = [_HEAD]
    for kind, where in _WHERE.items():
        parts.append(f"## {kind.capitalize()}\n\n{where}\n")
        names = sorted(each.name for each in ours if each.kind == kind)
        parts += [_section(name, registry.load(kind, name)) for name in names]
    return "\n".join(parts)


def _section(name: str, plugin: object) -> str:
    model = getattr(plugin, "Options", None)
    options = "It takes no options.\n" if model is None or not model.model_fields else keys_of(model)
    return f"### {name}\n\n{paragraph(_first(plugin))}\n\n{options}"


def _first(plugin: object) -> str:
    """Return the first paragraph of a class's docstring, or else of its module's."""
    said = getattr(plugin, "__doc__", None) or sys.modules[getattr(plugin, "__module__", "")].__doc__ or ""
    return str(said).partition("\n\n")[0]
