"""Checks that a `handle` could run, when its class is made rather than when a client connects."""

from __future__ import annotations

import inspect


def check_handle(owner: type, *, is_coroutine: bool) -> None:
    """Refuse a class whose `handle` is of the wrong kind.

    :param is_coroutine: whether it has to be `async def`.
    :raises TypeError: with the form that is expected.
    """
    handle = owner.handle  # type: ignore[attr-defined]
    name = f"{owner.__qualname__}.handle"
    wanted = "`async def`" if is_coroutine else "`def`"
    if inspect.isasyncgenfunction(handle) or inspect.isgeneratorfunction(handle):
        raise TypeError(f"{name} must be {wanted} without `yield`: yielded values are not used")
    if inspect.iscoroutinefunction(handle) != is_coroutine:
        other = "`def` is for a BlockingProtocol" if is_coroutine else "`async def` is for a StreamProtocol"
        raise TypeError(f"{name} must be {wanted}; {other}")
    is_bound = isinstance(inspect.getattr_static(owner, "handle"), staticmethod | classmethod)
    try:
        inspect.signature(handle).bind(*["stream"] if is_bound else ["self", "stream"])
    except TypeError:
        raise TypeError(f"{name} must take the stream: `handle(self, stream)`") from None
