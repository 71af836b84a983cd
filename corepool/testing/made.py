"""A protocol made as `corepool serve` would make it, in this process, for questions that need no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config.flags import flags_of
from corepool.config.plugin_options import Untyped
from corepool.plugins.recognition import matches_of
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def matches_of_served(arguments: Sequence[str]) -> Callable[[bytes], object] | None:
    """Return the `matches` of the protocol that these arguments of `corepool serve` name.

    :returns: None: it has none; or it is not installed here, but in the folder of the pool alone.
    """
    registry = Registry()
    name, *rest = arguments
    if name not in registry.names("protocols"):
        return None
    model = getattr(registry.load("protocols", name), "Options", None)
    flags = {} if model is None else {flag.name: flag for flag in flags_of(model)}
    options: dict[str, object] = {}
    if rest and not rest[0].startswith("-"):
        options["target"] = Untyped(rest.pop(0))
    while rest:
        word = rest.pop(0)
        if word in ("-o", "--option"):
            key, _, value = rest.pop(0).partition("=")
            options[key] = Untyped(value)
        elif word in flags:
            options[flags[word].key] = Untyped("true" if flags[word].is_switch else rest.pop(0))
    return matches_of(registry.create("protocols", name, options, "options").plugin)
