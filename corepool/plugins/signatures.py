"""Checks that the hooks of a plugin match the specifications: at start, with the expected form in each report.

pluggy itself refuses an argument that no specification has. Refused here, too, are hooks that pluggy accepts silently
and then never calls, or calls with fewer arguments: one without @hookimpl, a coroutine, an argument with a default.
"""

from __future__ import annotations

import inspect
from inspect import Parameter
from typing import TYPE_CHECKING, NamedTuple

from corepool.config.suggest import did_you_mean
from corepool.errors import PluginError
from corepool.spec import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK = f"{hookspecs.PROJECT}_impl"
_STREAMS = "for a coroutine for each connection, derive from corepool.streams.StreamProtocol"


def hook_names() -> list[str]:
    """List all hooks, in the order of a pool's life."""
    return [name for name in vars(hookspecs) if name.startswith("on_")]


def check_hooks(plugin: object) -> None:
    """Refuse a plugin one of whose hooks is not as specified.

    :raises PluginError: with the class, the hook, the mistake, and the expected form.
    """
    known = hook_names()
    for name, member in inspect.getmembers_static(type(plugin)):
        # A property may do anything when it is read; it is not a hook.
        function: Callable[..., object] | None = getattr(member, "__func__", member)
        options = getattr(function, _MARK, None)
        where = f"{type(plugin).__module__}.{type(plugin).__qualname__}.{name}"
        if options is None:
            if function is not member and hasattr(member, _MARK):
                # pluggy looks at the function, and would never see it.
                raise PluginError(f"{where} is never called: @hookimpl belongs between it and @{type(member).__name__}")
            if name in known and inspect.isroutine(member):
                raise PluginError(f"{where} is never called: @hookimpl is missing before it; expected {expected(name)}")
            continue
        hook = options["specname"] or name
        if hook not in known:
            raise PluginError(f"{where}: no such hook{did_you_mean(hook, known)}; hooks: {', '.join(known)}")
        assert function is not None
        is_wrapper = bool(options["wrapper"] or options["hookwrapper"])
        for fault in _faults(_Implementation(hook, function, isinstance(member, staticmethod), is_wrapper)):
            raise PluginError(f"{where}{fault}; expected {expected(hook)}")


def expected(hook: str) -> str:
    """Write a hook as it is specified: def on_close(self, conn: Connection, reason: CloseReason) -> None."""
    signature = inspect.signature(getattr(hookspecs, hook))
    arguments = [f"{parameter.name}: {parameter.annotation}" for parameter in signature.parameters.values()]
    return f"def {hook}({', '.join(['self', *arguments])}) -> {signature.return_annotation}"


class _Implementation(NamedTuple):
    hook: str
    function: Callable[..., object]
    is_static: bool
    is_wrapper: bool


def _faults(its: _Implementation) -> Iterator[str]:
    if inspect.iscoroutinefunction(its.function) or inspect.isasyncgenfunction(its.function):
        yield f" is an async def, and hooks are plain functions ({_STREAMS})"
    if inspect.isgeneratorfunction(its.function) and not its.is_wrapper:
        yield " yields, so nothing in it would ever run; a wrapper says so: @hookimpl(wrapper=True)"
    known = list(inspect.signature(getattr(hookspecs, its.hook)).parameters)
    parameters = list(inspect.signature(its.function).parameters.values())
    for parameter in parameters if its.is_static else parameters[1:]:
        if parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
            yield f" takes {parameter}, and hooks are given what they name, nothing else"
        elif parameter.kind is Parameter.KEYWORD_ONLY:
            yield f" takes {parameter.name!r} by its name only, and hooks are called by position"
        elif parameter.name not in known and parameter.default is Parameter.empty:
            name, passes = parameter.name, ", ".join(known)
            yield f" takes {name!r}{did_you_mean(name, known)}, which this hook does not pass; it passes: {passes}"
        elif parameter.name in known and parameter.default is not Parameter.empty:
            # pluggy takes a default as a sign that the argument is the plugin's own business.
            yield f" has a default for {parameter.name!r}, so pluggy would never pass it"
