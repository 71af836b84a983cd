"""Flags of `serve` that it doesn't know: most often those of a protocol that is missing, misspelt or broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepool.config.flags import flags_of
from corepool.config.plugin_options import is_options
from corepool.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from corepool.plugins.registry import Registry

_HELP = ("--help", "-h")


def explain(arguments: Sequence[str], known: Collection[str], registry: Registry) -> str | None:
    """Return a sentence about the first flag that is unknown, or about --help of a protocol whose options are unknown.

    :param arguments: of `serve`.
    :param known: the flags that it knows, those of the protocol among them.
    :returns: None: there is nothing to explain.
    """
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    flags = [each.partition("=")[0] for each in own if each.startswith("--")]
    unknown = next((each for each in flags if each not in known and each not in _HELP), None)
    if unknown is None and not any(each in _HELP for each in own):
        return None
    if (reason := _fault_of_protocol(own, registry)) is not None:
        return f"{reason}; so its options are not known"
    if unknown is None or any(each in registry.names("protocols") for each in own):
        return None
    having = [name for name in registry.names("protocols") if unknown in _flags_of(name, registry)]
    if not having:
        return None
    return (
        f"{unknown} is an option of a protocol ({', '.join(having)}), and PROTOCOL is missing: "
        f"corepool serve {having[0]} {' '.join(own)}"
    )


def _fault_of_protocol(arguments: Sequence[str], registry: Registry) -> str | None:
    """Return why the protocol that the arguments name can't be used, in one line."""
    installed = registry.names("protocols")
    named = next((each for each in arguments if each in installed), None)
    if named is None and arguments and not arguments[0].startswith("-") and ":" not in arguments[0]:
        named = arguments[0]
    if named is None:
        return None
    try:
        registry.load("protocols", named)
    except PluginError as error:
        return str(error)
    return None


def _flags_of(protocol: str, registry: Registry) -> Iterator[str]:
    try:
        model: object = getattr(registry.load("protocols", protocol), "Options", None)
    except PluginError:
        return
    if is_options(model):
        for flag in flags_of(model):
            yield flag.name
            if flag.is_switch:
                yield f"--no-{flag.name.removeprefix('--')}"
