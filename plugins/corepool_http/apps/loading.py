"""Finding the application that a target names."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from corepool.plugins.loading import LoadError, load_target

if TYPE_CHECKING:
    from corepool_http.options import HttpOptions


def load(options: HttpOptions) -> object:
    """Import the application. Runs in: worker, so that a restart always runs new code.

    :raises LoadError: there is no such module or attribute.
    :raises Exception: whatever the module raises when it is imported.
    """
    is_factory = options.factory or options.target.endswith("()")
    found = load_target(options.target.removesuffix("()"), options.directory)
    if is_factory:
        if not callable(found):
            raise LoadError(f"target = {options.target!r}: a factory has to be callable")
        found = found()
    if not callable(found):
        raise LoadError(f"target = {options.target!r}: {type(found).__name__} can't be called")
    return found


def is_asgi(application: object) -> bool:
    """Return True if an application is ASGI's: a coroutine function, an object whose call is one, an awaitable class.

    Starlette's endpoints are such classes. Calling a class makes an instance, whatever the instance's own call is.
    """
    if inspect.iscoroutinefunction(application):
        return True
    if inspect.isclass(application):
        return hasattr(application, "__await__")
    call = getattr(application, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(call)
