"""A protocol made as `corepool serve` would make it, in this process, for questions that need no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config.plugin_options import Untyped
from corepool.plugins.recognition import matches_of
from corepool.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def matches_of_served(arguments: Sequence[str]) -> Callable[[bytes], object] | None:
    """Return the `matches` of the protocol that these arguments of `corepool serve` name, if it has one.

    Its options are made of `-o KEY=VALUE`, and of a TARGET.
    """
    name, *rest = arguments
    options: dict[str, object] = {}
    while rest:
        word = rest.pop(0)
        if word == "-o":
            key, _, value = rest.pop(0).partition("=")
            options[key] = Untyped(value)
        elif not word.startswith("-") and "target" not in options:
            options["target"] = Untyped(word)
    registry = Registry()
    if name not in registry.names("protocols"):  # it is installed in the pool's folder alone
        return None
    return matches_of(registry.create("protocols", name, options, "options").plugin)
